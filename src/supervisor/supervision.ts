import type { SupervisedStopRequest, SupervisorEvent } from '../client/protocol.ts';
import { readRecentSamples } from '../history/read.ts';
import { createSampler } from '../history/sampler.ts';
import { openHistoryWriter } from '../history/writer.ts';
import { takeLockToRestart } from '../lock/for-restart.ts';
import { recordLogs } from '../logs/recorder.ts';
import { endServiceRun } from '../operations/stop/end-run.ts';
import { stopEverythingRequest } from '../operations/stop/unattended.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import { monotonicMs } from '../processes/clock.ts';
import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import { removeGroup } from '../processes/linux/control-groups.ts';
import type { Native } from '../processes/native/native.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { StopReport } from '../stopping/report.ts';
import type { ProjectState } from '../tracking/project-state.ts';
import type { RunGroups } from '../tracking/run-groups.ts';
import { startWitness } from '../tracking/witness.ts';
import { createForegroundHolds } from './api/foreground-holds.ts';
import { supervisorRoutes } from './api/routes.ts';
import type { Route, Stream } from './api/server.ts';
import { createLeaseKeeper } from './policies/lease-keeper.ts';
import { createLimitEnforcer } from './policies/limit-enforcer.ts';
import { createStops, hasLeader } from './policies/stops.ts';
import { adoptServices, resumeRestarts } from './services/adopt.ts';
import { type Children, createChildren } from './services/children.ts';
import type { ServiceTable } from './services/entry.ts';
import { createServiceTable } from './services/service-table.ts';
import type { StartSession } from './services/start-session.ts';

export interface SupervisionContext {
  readonly folder: ProjectFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The subreaper above this process, if there is one. */
  readonly guard: Identity | null;
  /** The native calls, where they made this process a subreaper. */
  readonly native: Native | null;
  readonly capabilities: Capabilities;
  /** Null where no control groups can be made; `capabilities` says why. */
  readonly groups: RunGroups | null;
  readonly version: string;
  readonly log: (line: string) => void;
  /** What earlier supervisors left. */
  readonly inherited: ProjectState;
  /** Did one of them have something below it when it was ended, recorded or not? */
  readonly inherits: boolean;
  readonly end: () => void;
}

/** How far back those are told who begin to watch. */
const RECENT_MS = 5 * 60_000;

/** With nothing to supervise and nobody connected for so long, the supervisor ends itself. */
const IDLE_END_MS = 5_000;

/** Everything a supervisor does, behind its API. Adopts on creation what earlier ones left running. */
export async function createSupervision(context: SupervisionContext): Promise<{
  readonly routes: Readonly<Record<string, Route>>;
  readonly isAlone: Children['isAlone'];
  close(): void;
}> {
  const { folder, host, table, self, native, groups } = context;
  const starts = new Set<StartSession>();
  const listeners = new Set<(event: SupervisorEvent) => void>();
  let connections = 0;
  let idleSinceMs = monotonicMs();

  const notes = recordLogs(folder, context.log);
  const chronicle = openHistoryWriter(folder, context.log);
  const sampler = createSampler(chronicle);
  const lives: ServiceTable = createServiceTable({
    folder,
    table,
    self,
    guard: context.guard,
    // What an earlier supervisor left may have escaped when that one died.
    subreaper: native !== null && !context.inherits && isUntouched(context.inherited),
    groups: context.groups,
    groupless: context.capabilities.cgroup.why,
    mkfifo: native && ((path) => native.mkfifo(path, 0o600)),
    log: context.log,
    tell(change) {
      witness.wake();
      const { record } = lives.entry(change.service);
      if (record) notes.record(change.service, record.log, record.logRotation ?? null);
      for (const starting of starts) starting.hear(change);
      for (const listen of listeners) listen({ ...change, afterMs: 0 });
      const { service, from, to, reason, pid } = change;
      const atMs = Date.now();
      chronicle.event({ atMs, kind: 'change', service, from, to, reason, pid });
    },
    stopTree: (name, request) => {
      const { runContained } = holding;
      return endServiceRun(host, folder, name, { ...request, self, runContained });
    },
    // A start that is under way here holds the lock for us.
    holdLog: (name) => notes.pin(name),
    takeLock: async () => (starts.size > 0 ? () => {} : takeLockToRestart(host, folder, self)),
  });
  const limits = createLimitEnforcer({
    folder,
    self,
    lives,
    tell(breach) {
      for (const listen of listeners) listen({ type: 'breach', breach });
      chronicle.event({ atMs: breach.atMs, kind: 'breach', breach });
    },
    stopAll: async (manifest, why) => {
      await stopUnasked(stopEverythingRequest(folder, manifest), why);
    },
    log: context.log,
  });
  const witness = startWitness({
    table,
    self,
    inherited: context.inherited,
    lives,
    native,
    groups: context.groups,
    listener: {
      onScan(snapshot, claims) {
        const sample = sampler.onScan(snapshot, claims);
        if (sample) limits.see(sample, snapshot, claims);
      },
      isMoving: sampler.isMoving,
      isWatched: () => sampler.hasSubscribers() || limits.isNear(),
    },
    log: context.log,
    end: (target) => host.signal(target, 'SIGKILL'),
  });
  // A run that ends while it is being adopted is cleared up with this.
  const holding = createChildren({ host, folder, self, native, groups, reap: witness.reap });
  await adoptServices(host, lives, context.inherited.records);

  const stops = createStops({
    host,
    folder,
    lives,
    witness,
    starts,
    hasChildren: holding.hasChildren,
    runContained: holding.runContained,
    stoppedAll: () => leases.reread(),
    log: context.log,
    end: context.end,
  });

  /** A caller is connected until he has got all of the answer, which may be after the work. */
  const whileConnected = (stream: Stream, work: () => Promise<unknown>): Promise<unknown> => {
    connections += 1;
    void stream.closed.then(() => {
      connections -= 1;
      idleSinceMs = monotonicMs();
    });
    return work();
  };

  const isBusy = (): boolean => connections > 0 || witness.owned() > 0 || hasLeader(lives);
  /** What is dead is reaped first, so that nothing seems to be below us. A start may come meanwhile. */
  const endIdle = async (): Promise<void> => {
    await witness.reap();
    if (isBusy()) return;
    leases.drop();
    context.end();
  };
  const idleTimer = setInterval(() => {
    leases.look();
    if (isBusy()) idleSinceMs = monotonicMs();
    else if (monotonicMs() - idleSinceMs >= IDLE_END_MS) void endIdle();
  }, IDLE_END_MS / 2);

  const stopUnasked = async (request: SupervisedStopRequest, why: string): Promise<StopReport> => {
    // Nobody is connected, and yet it is not idle.
    connections += 1;
    try {
      const report = await stops.stopInProcess(request, why);
      stops.endAfter(request, report);
      return report;
    } finally {
      connections -= 1;
      idleSinceMs = monotonicMs();
    }
  };
  const holds = createForegroundHolds({ log: context.log, stop: stopUnasked });
  const leases = createLeaseKeeper({
    folder,
    table,
    inherited: context.inherited.lease,
    endWatch: native?.endWatch() ?? null,
    stop: stopUnasked,
    ended: (why) => chronicle.event({ atMs: Date.now(), kind: 'lease', why }),
    log: context.log,
  });

  const routes = supervisorRoutes({
    hello: {
      version: context.version,
      pid: self.pid,
      projectId: folder.projectId,
      capabilities: context.capabilities,
    },
    lives,
    witness,
    sampler,
    recentSamples: () => readRecentSamples(folder, RECENT_MS),
    starts,
    listeners,
    holds,
    leases,
    limits,
    goOnRestarting: (request) => resumeRestarts(lives, folder, self, request),
    ...holding,
    ...stops,
    whileConnected,
  });
  chronicle.event({ atMs: Date.now(), kind: 'supervisor', what: 'began' });
  return {
    routes,
    isAlone: holding.isAlone,
    close() {
      clearInterval(idleTimer);
      leases.close();
      limits.close();
      witness.stop();
      notes.stop();
      chronicle.close();
      chronicle.event({ atMs: Date.now(), kind: 'supervisor', what: 'ended' });
      if (context.groups) removeGroup(context.groups.folder);
    },
  };
}

/** Has no earlier supervisor left anything, not even something that cannot be read? */
function isUntouched({ records, ledger, legacy, problems }: ProjectState): boolean {
  // What a one-off leaves is its own command's to hold, and never was below a supervisor.
  const oneOffs = new Set(records.flatMap(({ oneOff, runId }) => (oneOff ? [runId] : [])));
  const others = [...records, ...ledger].filter(({ runId }) => !oneOffs.has(runId));
  return [others, legacy, problems].every((list) => list.length === 0);
}
