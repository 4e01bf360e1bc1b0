import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { Native } from '../processes/native.ts';
import { isGone } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { readRecords } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { type Route, STREAMED } from './api.ts';
import { createLives, type Lives } from './lives.ts';
import { toSweepRules } from './open-project.ts';
import { type ProjectState, readProjectState } from './project-state.ts';
import type {
  ChildrenAnswer,
  Hello,
  StandDownRequest,
  StartRequest,
  SupervisedStopRequest,
  SupervisorEvent,
} from './protocol.ts';
import { beginStarting, type Starting } from './starting.ts';
import { stopProject } from './stop.ts';
import { stopRuns } from './stop-runs.ts';
import { startWitness } from './witness.ts';

export interface SupervisionContext {
  readonly folder: ProjectFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The native calls, where they made this process a subreaper. */
  readonly native: Native | null;
  readonly version: string;
  readonly log: (line: string) => void;
  /** What earlier supervisors left. */
  readonly inherited: ProjectState;
  readonly end: () => void;
}

/** With nothing to supervise and nobody connected for so long, the supervisor ends itself. */
const IDLE_END_MS = 5_000;

/** Everything a supervisor does, behind its API. Adopts on creation what earlier ones left running. */
export async function createSupervision(context: SupervisionContext): Promise<{
  readonly routes: Readonly<Record<string, Route>>;
  close(): void;
}> {
  const { folder, host, table, self, native } = context;
  const starts = new Set<Starting>();
  const listeners = new Set<(event: SupervisorEvent) => void>();
  let connections = 0;
  let idleSinceMs = performance.now();

  const lives: Lives = createLives({
    folder,
    table,
    self,
    // What an earlier supervisor left may have escaped when that one died.
    subreaper: native !== null && isUntouched(context.inherited),
    mkfifo: native && ((path) => native.mkfifo(path, 0o600)),
    log: context.log,
    tell(change) {
      witness.wake();
      for (const starting of starts) starting.hear(change);
      for (const listen of listeners) listen({ ...change, afterMs: 0 });
    },
    stopTree: async (name) => {
      await stopRuns(
        { host, self, state: readProjectState(folder), forced: () => false, watch: () => {} },
        { names: [name], force: false, graceMs: null, sweep: null },
      );
    },
  });
  const witness = startWitness({
    table,
    self,
    inherited: context.inherited,
    lives,
    native,
    log: context.log,
  });
  await adopt(host, lives, context.inherited.records);

  const hasChildren = async (): Promise<boolean | null> => {
    if (!native) return null;
    await witness.reap();
    return native.hasChildren();
  };

  const whileConnected = async (work: () => Promise<unknown>): Promise<unknown> => {
    connections += 1;
    try {
      return await work();
    } finally {
      connections -= 1;
      idleSinceMs = performance.now();
    }
  };

  const idleTimer = setInterval(() => {
    const busy = connections > 0 || witness.owned() > 0 || hasLeader(lives);
    if (busy) idleSinceMs = performance.now();
    else if (performance.now() - idleSinceMs >= IDLE_END_MS) context.end();
  }, IDLE_END_MS / 2);

  const routes: Readonly<Record<string, Route>> = {
    'GET /hello': (): Hello => ({
      version: context.version,
      pid: self.pid,
      projectId: folder.projectId,
      subreaper: native !== null,
    }),

    'GET /children': async (): Promise<ChildrenAnswer> => ({ children: await hasChildren() }),

    'GET /events': (_body, stream) =>
      whileConnected(async () => {
        const listen = (event: SupervisorEvent): void => stream.write(event);
        listeners.add(listen);
        await stream.closed;
        listeners.delete(listen);
        return STREAMED;
      }),

    'POST /start': (body, stream) =>
      whileConnected(async () => {
        const starting = beginStarting(lives, body as StartRequest, (change) =>
          stream.write(change),
        );
        starts.add(starting);
        void stream.closed.then(() => starting.abandon());
        const outcome = await starting.done;
        starts.delete(starting);
        // What has escaped so far is on disk before anybody is told that the services are up.
        await witness.look();
        stream.write({ type: 'result', ...outcome });
        return STREAMED;
      }),

    'POST /abort-starts': () => {
      for (const starting of starts) starting.abandon();
      return { aborted: starts.size };
    },

    'POST /stand-down': (body, stream) =>
      whileConnected(async () => {
        const { names } = body as StandDownRequest;
        for (const starting of starts) starting.abandon();
        await standDown(lives, names);
        await witness.setStoodDown(true);
        stream.write({ type: 'stood-down' });
        await stream.closed;
        await resume(host, lives, folder);
        await witness.setStoodDown(false);
        return STREAMED;
      }),

    'POST /stop': (body, stream) =>
      whileConnected(async () => {
        const { force, graceMs, sweep } = body as SupervisedStopRequest;
        for (const starting of starts) starting.abandon();
        await standDown(lives, null);
        await witness.setStoodDown(true);
        const report = await stopProject(host, folder, {
          names: null,
          force,
          graceMs,
          dryRun: false,
          sweep: toSweepRules(sweep),
          forced: () => false,
          watch: () => {},
          hasChildren,
        });
        stream.write({ type: 'report', report });
        await resume(host, lives, folder);
        await witness.setStoodDown(false);
        if (report.survivors.length === 0) setImmediate(context.end);
        return STREAMED;
      }),
  };
  return {
    routes,
    close() {
      clearInterval(idleTimer);
      witness.stop();
    },
  };
}

function isUntouched({ records, ledger }: ProjectState): boolean {
  return records.length === 0 && ledger.length === 0;
}

function hasLeader(lives: Lives): boolean {
  return [...lives.entries.values()].some(
    ({ life }) => ('leader' in life && life.leader !== null) || life.kind === 'spawning',
  );
}

/** Takes over every recorded run whose leader lives, without touching it. */
async function adopt(host: Host, lives: Lives, records: readonly ServiceRecord[]): Promise<void> {
  const snapshot = await host.snapshot();
  for (const record of records) {
    const { leader, service, state, ready } = { ready: record.readyAt !== null, ...record };
    const found = leader && snapshot.byPid.get(leader.pid);
    if (!leader || !found || !sameIdentity(found.identity, leader) || isGone(found)) continue;
    const entry = lives.entry(service);
    entry.record = record;
    entry.run = entry.life.run + 1;
    entry.spawnedHere = false;
    // Its probe is in the manifest, which comes with the next start; until then the record counts.
    const probed = state === 'ready';
    await lives.dispatch(service, { kind: 'adopted', identity: leader, wasReady: ready, probed });
  }
}

async function standDown(lives: Lives, names: readonly string[] | null): Promise<void> {
  const targets = [...lives.entries.values()].filter(
    ({ name }) => names === null || names.includes(name),
  );
  await Promise.all(targets.map(({ name }) => lives.dispatch(name, { kind: 'standDown' })));
  // A spawn that was on its way has been answered by the time its queue is empty again.
  while (targets.some(({ life }) => life.kind === 'cancelling')) {
    await Promise.all(targets.map(({ queue }) => queue));
  }
}

/** After a stop by somebody else: what is proved gone is idle, what still runs is adopted again. */
async function resume(host: Host, lives: Lives, folder: ProjectFolder): Promise<void> {
  const { records } = readRecords(folder);
  for (const { name, life } of lives.entries.values()) {
    if (life.kind !== 'stopping') continue;
    await lives.dispatch(name, { kind: 'stopped', run: life.run });
    lives.entry(name).record = null;
  }
  const idle = records.filter(({ service }) => lives.entry(service).life.kind === 'idle');
  await adopt(host, lives, idle);
}
