import { setTimeout } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import type { ResolvedService } from '../manifest/resolved.ts';
import { COOKIE_VARIABLES, serviceCookie } from '../ownership/cookie.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { writeFoundingFiles } from '../project/founding-files.ts';
import { writeRecord } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { type Launch, launch } from '../services/launch.ts';
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
  /** Has this run a readiness probe, as far as is known? */
  probed: boolean;
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
      probed: false,
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
        const why = inWords(error);
        context.log(`${target.name}: ${effect.kind}: ${why}`);
        // Without its intent on disk nothing may be spawned; and each spawn must be answered.
        const endsSpawn = effect.kind === 'spawn' || effect.kind === 'writeRecord';
        if (!endsSpawn || step.state.kind !== 'spawning') continue;
        const { run } = effect;
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
        void probe(context, target, effect.run, dispatch).catch((error: unknown) => {
          const reason = `its probe cannot be carried out: ${inWords(error)}`;
          void dispatch(target.name, { kind: 'probeTimedOut', run: effect.run, reason });
        });
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
  target.probed = service.ready !== null;
  let leader: ProcessInfo | null = null;
  try {
    // Not a turn of the event loop has passed since the spawn, so even one that ended at once is still
    // there as a zombie.
    leader = await context.table.read(launched.pid);
  } catch (error) {
    const ended = await endUnread(launched);
    const reason = `it started, but could not be looked at (${inWords(error)}), ${ended}`;
    void dispatch(target.name, { kind: 'spawnFailed', run, reason });
    return;
  }
  if (!leader) {
    // Where another program (ps) has to look, Node has reaped what ended at once before it could.
    const exit = await Promise.race([launched.exited, setTimeout(EXIT_MS, null, { ref: false })]);
    const reason = `${exit ? exitInWords(exit) : 'it was gone'} before it could be looked at`;
    void dispatch(target.name, { kind: 'spawnFailed', run, reason, ...(exit ? { exit } : {}) });
    return;
  }
  const { identity } = leader;
  void dispatch(target.name, { kind: 'spawned', run, identity, probed: target.probed });
  void launched.exited.then((exit) => {
    const { life } = target;
    // After a stop that left it alone it was adopted as a run of its own.
    const isSame = 'leader' in life && life.leader && sameIdentity(life.leader, identity);
    void dispatch(target.name, { kind: 'exited', run: isSame ? life.run : run, exit });
  });
}

/**
 * Ends the session of a process whose identity nobody knows, so that no other way could end it safely.
 * Until Node has told its exit, it is our own unreaped child and its number nobody else's.
 *
 * @returns what came of it, for the reason
 */
async function endUnread({ pid, exited }: Extract<Launch, { kind: 'launched' }>): Promise<string> {
  try {
    // Refused when Node has reaped it already: then its group may be anybody's.
    process.kill(pid, 0);
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') return `and could not be ended (${inWords(error)})`;
    return `and ${exitInWords(await exited)}`;
  }
  const exit = await Promise.race([exited, setTimeout(EXIT_MS, null, { ref: false })]);
  return exit ? 'so it was ended' : `so it was sent SIGKILL, and has not ended yet (pid ${pid})`;
}

function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
  if (!record) return;
  if (!service?.ready) {
    // Its manifest had a probe when it was started, and has none now: it counts as one without.
    void dispatch(target.name, { kind: 'probeSucceeded', run });
    return;
  }
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
