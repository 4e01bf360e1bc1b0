import { setTimeout } from 'node:timers/promises';
import type { ResolvedService } from '../manifest/resolved.ts';
import { COOKIE_VARIABLES, serviceCookie } from '../ownership/cookie.ts';
import type { Identity } from '../processes/identity.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { writeFoundingFiles } from '../project/founding-files.ts';
import { writeRecord } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { launch } from '../services/launch.ts';
import { exitInWords, idle, type Life, type LifeEffect, type LifeEvent } from '../services/life.ts';
import { lifecycle } from '../services/lifecycle.ts';
import { openProbe } from '../services/probes/probe.ts';
import { waitUntilReady } from '../services/readiness.ts';
import { nextRecord } from './next-record.ts';
import type { ServiceChange, StartRequest } from './protocol.ts';

/** A service as the supervisor knows it. */
export interface Entry {
  readonly name: string;
  life: Life;
  /** What the latest start wants it to be; null for one that was adopted and not asked for since. */
  service: ResolvedService | null;
  request: Pick<StartRequest, 'env' | 'logsDir'> | null;
  /** The run that `record` speaks of. */
  run: number;
  record: ServiceRecord | null;
  logOffset: number;
  /** Did this supervisor spawn its leader, so that Node reports the exit? */
  spawnedHere: boolean;
  probe: AbortController | null;
  /** Events of one service are carried out one after the other, each with all its effects. */
  queue: Promise<void>;
}

export interface LivesContext {
  readonly folder: ProjectFolder;
  readonly table: ProcessTable;
  readonly self: Identity;
  readonly subreaper: boolean;
  readonly mkfifo: ((path: string) => void) | null;
  /** Hears every change of state. */
  tell(change: Omit<ServiceChange, 'afterMs'>): void;
  /** For what has no listener: goes to the supervisor's log. */
  log(line: string): void;
  stopTree(name: string): Promise<void>;
}

/** Feeds events into the life table of each service, and carries the effects out. */
export interface Lives {
  readonly entries: ReadonlyMap<string, Entry>;
  entry(name: string): Entry;
  dispatch(name: string, event: LifeEvent): Promise<void>;
  records(): readonly ServiceRecord[];
}

export function createLives(context: LivesContext): Lives {
  const entries = new Map<string, Entry>();

  const entry = (name: string): Entry => {
    const known = entries.get(name);
    if (known) return known;
    const made: Entry = {
      name,
      life: idle,
      service: null,
      request: null,
      run: 0,
      record: null,
      logOffset: 0,
      spawnedHere: false,
      probe: null,
      queue: Promise.resolve(),
    };
    entries.set(name, made);
    return made;
  };

  const dispatch = (name: string, event: LifeEvent): Promise<void> => {
    const target = entry(name);
    target.queue = target.queue.then(() => live(target, event));
    return target.queue;
  };

  const live = async (target: Entry, event: LifeEvent): Promise<void> => {
    const step = lifecycle(target.life, event, performance.now());
    if (step.refusal?.kind === 'impossible') {
      context.log(`${target.name}: ${event.kind} while ${target.life.kind}: ${step.refusal.why}`);
    }
    target.life = step.state;
    for (const effect of step.effects) {
      try {
        await carryOut(target, effect);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        context.log(`${target.name}: ${effect.kind}: ${why}`);
        // Without its intent on disk nothing may be spawned.
        const { run } = target.life;
        if (effect.kind !== 'writeRecord' || step.state.kind !== 'spawning') continue;
        void dispatch(target.name, { kind: 'spawnFailed', run, reason: why });
        return;
      }
    }
  };

  const carryOut = async (target: Entry, effect: LifeEffect): Promise<void> => {
    switch (effect.kind) {
      case 'writeRecord':
        target.record = nextRecord(context, target, effect);
        target.run = effect.run;
        writeRecord(context.folder, target.record);
        writeFoundingFiles(context.folder, records());
        return;
      case 'spawn':
        await spawn(context, target, effect.run, dispatch);
        return;
      case 'startProbe':
        void probe(context, target, effect.run, dispatch);
        return;
      case 'stopProbe':
        target.probe?.abort();
        target.probe = null;
        return;
      case 'stopTree':
        await context.stopTree(target.name);
        void dispatch(target.name, { kind: 'stopped', run: effect.run });
        return;
      case 'tell': {
        const { from, to, reason } = effect;
        const pid = 'leader' in target.life ? (target.life.leader?.pid ?? null) : null;
        context.tell({ type: 'change', service: target.name, from, to, reason, pid });
      }
    }
  };

  const records = (): readonly ServiceRecord[] =>
    [...entries.values()].flatMap(({ record, life }) =>
      record && life.kind !== 'idle' && life.kind !== 'waiting' ? [record] : [],
    );

  return { entries, entry, dispatch, records };
}

type Dispatch = Lives['dispatch'];

/** How long the news of an exit may take that has happened already. */
const EXIT_MS = 1_000;

async function spawn(
  context: LivesContext,
  target: Entry,
  run: number,
  dispatch: Dispatch,
): Promise<void> {
  const { service, record } = target;
  if (!service || !record) throw new Error(`${target.name} has nothing to spawn`);
  const { mkfifo } = context;
  const launched = await launch(service, {
    env: environmentOf(context, target, record.runId),
    logFile: record.log,
    stdinPath: record.stdin,
    ...(mkfifo ? { makeFifo: mkfifo } : {}),
  });
  if (launched.kind === 'failed') {
    void dispatch(target.name, { kind: 'spawnFailed', run, reason: launched.reason });
    return;
  }
  target.logOffset = launched.logOffset;
  target.spawnedHere = true;
  // Not a turn of the event loop has passed since the spawn, so even one that ended at once is still
  // there as a zombie.
  const leader = await context.table.read(launched.pid);
  if (leader) {
    const probed = service.ready !== null;
    void dispatch(target.name, { kind: 'spawned', run, identity: leader.identity, probed });
  } else {
    // Where another program (ps) has to look, Node has reaped what ended at once before it could.
    const exit = await Promise.race([launched.exited, setTimeout(EXIT_MS, null, { ref: false })]);
    const reason = `${exit ? exitInWords(exit) : 'it was gone'} before it could be looked at`;
    void dispatch(target.name, { kind: 'spawnFailed', run, reason, ...(exit ? { exit } : {}) });
  }
  void launched.exited.then((exit) => dispatch(target.name, { kind: 'exited', run, exit }));
}

/** The caller's variables, the manifest's on top, and our cookie over whatever cookie was there. */
function environmentOf(
  { folder }: LivesContext,
  { name, service, request }: Entry,
  runId: string,
): Record<string, string> {
  const env: Record<string, string> = { ...request?.env, ...service?.env };
  for (const variable of COOKIE_VARIABLES) delete env[variable];
  return { ...env, ...serviceCookie(folder.projectId, name, runId) };
}

async function probe(
  context: LivesContext,
  target: Entry,
  run: number,
  dispatch: Dispatch,
): Promise<void> {
  const { service, record } = target;
  if (!service?.ready || !record) return;
  const over = new AbortController();
  target.probe = over;
  const env = environmentOf(context, target, record.runId);
  const { cwd, ready } = service;
  const { logOffset } = target;
  const opened = await openProbe(ready.check, { cwd, env, logFile: record.log, logOffset });
  const answer = await waitUntilReady(opened, ready, over.signal);
  if (answer.kind === 'ready') void dispatch(target.name, { kind: 'probeSucceeded', run });
  if (answer.kind === 'timed-out') {
    const reason = `not ready after ${ready.timeoutMs} ms: ${answer.lastReason}`;
    void dispatch(target.name, { kind: 'probeTimedOut', run, reason });
  }
}
