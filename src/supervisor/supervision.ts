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
  /** The subreaper above this process; null: there is none. */
  readonly guard: Identity | null;
  /** The native calls, if they made this process a subreaper; else null. */
  readonly native: Native | null;
  readonly capabilities: Capabilities;
  /** Null when no control groups can be made; `capabilities` says why. */
  readonly groups: RunGroups | null;
  readonly version: string;
  readonly log: (line: string) => void;
  /** The records as earlier supervisors left them. */
  readonly initialState: ProjectState;
  /** True when an earlier supervisor had a process below it when it was ended, recorded or not. */
  readonly inheritsProcesses: boolean;
  /** Ends this process. */
  readonly end: () => void;
}

/** How far back the samples go that a new watcher gets first. */
const RECENT_MS = 5 * 60_000;

/** Time without services and connections after which the supervisor ends itself. */
const IDLE_END_MS = 5_000;

/**
 * Puts together everything that a supervisor does, behind its API, and adopts what earlier supervisors
 * left running.
 */
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
    // A process that an earlier supervisor left may have escaped when that supervisor died.
    subreaper: native !== null && !context.inheritsProcesses && isUntouched(context.initialState),
    groups: context.groups,
    whyNoGroups: context.capabilities.cgroup.why,
    mkfifo: native && ((path) => native.mkfifo(path, 0o600)),
    log: context.log,
    onChange(change) {
      witness.wake();
      const { record } = lives.entry(change.service);
      if (record) notes.watch(change.service, record.log, record.logRotation ?? null);
      for (const starting of starts) starting.onChange(change);
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
    pinLog: (name) => notes.hold(name),
    takeLock: async () => (starts.size > 0 ? () => {} : takeLockToRestart(host, folder, self)),
  });
  const limits = createLimitEnforcer({
    folder,
    self,
    services: lives,
    onBreach(breach) {
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
    initialState: context.initialState,
    runs: lives,
    native,
    groups: context.groups,
    listener: {
      onScan(snapshot, claims) {
        const sample = sampler.see(snapshot, claims);
        if (sample) limits.onSample(sample, snapshot, claims);
      },
      isMoving: sampler.isMoving,
      isWatched: () => sampler.isWatched() || limits.isNear(),
    },
    log: context.log,
    kill: (target) => host.signal(target, 'SIGKILL'),
  });
  // Made before the adoption, because a run that ends while it is being adopted needs it to be cleaned
  // up.
  const holding = createChildren({ host, folder, self, native, groups, reap: witness.reap });
  await adoptServices(host, lives, context.initialState.records);

  const stops = createStops({
    host,
    folder,
    services: lives,
    witness,
    starts,
    hasChildren: holding.hasChildren,
    runContained: holding.runContained,
    onStoppedAll: () => leases.reread(),
    log: context.log,
    end: context.end,
  });

  /** Counts a caller as connected until the whole answer is sent, which may be after the work. */
  const whileConnected = (stream: Stream, work: () => Promise<unknown>): Promise<unknown> => {
    connections += 1;
    void stream.closed.then(() => {
      connections -= 1;
      idleSinceMs = monotonicMs();
    });
    return work();
  };

  const isBusy = (): boolean => connections > 0 || witness.ownedCount() > 0 || hasLeader(lives);
  /**
   * Ends the supervisor, unless it has become busy. Zombies are reaped first, because they would count
   * as processes below it; a start may come meanwhile.
   */
  const endIdle = async (): Promise<void> => {
    await witness.reap();
    if (isBusy()) return;
    leases.drop();
    context.end();
  };
  const idleTimer = setInterval(() => {
    leases.check();
    if (isBusy()) idleSinceMs = monotonicMs();
    else if (monotonicMs() - idleSinceMs >= IDLE_END_MS) void endIdle();
  }, IDLE_END_MS / 2);

  const stopUnasked = async (request: SupervisedStopRequest, why: string): Promise<StopReport> => {
    // No caller is connected, but the supervisor is not idle.
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
    initialRecord: context.initialState.lease,
    endWatch: native?.endWatch() ?? null,
    stop: stopUnasked,
    onEnded: (why) => chronicle.event({ atMs: Date.now(), kind: 'lease', why }),
    log: context.log,
  });

  const routes = supervisorRoutes({
    hello: {
      version: context.version,
      pid: self.pid,
      projectId: folder.projectId,
      capabilities: context.capabilities,
    },
    services: lives,
    witness,
    sampler,
    recentSamples: () => readRecentSamples(folder, RECENT_MS),
    starts,
    listeners,
    holds,
    leases,
    limits,
    resumeRestarts: (request) => resumeRestarts(lives, folder, self, request),
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

/** True when no earlier supervisor has left anything, not even a file that cannot be read. */
function isUntouched({ records, ledger, legacy, problems }: ProjectState): boolean {
  // Processes that a one-off leaves belong to its own `devctl run`, and were never below a supervisor.
  const oneOffs = new Set(records.flatMap(({ oneOff, runId }) => (oneOff ? [runId] : [])));
  const others = [...records, ...ledger].filter(({ runId }) => !oneOffs.has(runId));
  return [others, legacy, problems].every((list) => list.length === 0);
}
