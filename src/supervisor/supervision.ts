/*
 * The files of this folder, which is the resident process of a project:
 *
 *   main            the entry: prepares the process, and listens
 *   supervision     puts together everything that a supervisor does
 *   api/            its routes
 *   policies/       when it stops services
 *   services/       the state of each service
 *   log             its log, a file that stays small
 *   v8-flags        keeps its memory and its cost at rest small
 *   guard           the entry of the guard, the subreaper above it
 *   await-guard     waits until the guard is ready
 *   container-init  the entry as process 1 of a container
 */

import type { ServiceChange, SupervisedStopRequest, SupervisorEvent } from '../client/protocol.ts';
import { inWords } from '../errors.ts';
import { readRecentSamples } from '../history/read.ts';
import { createSampler, type Sampler } from '../history/sampler.ts';
import { type HistoryWriter, openHistoryWriter } from '../history/writer.ts';
import type { Breach } from '../limits/breach.ts';
import { takeLockToRestart } from '../lock/for-restart.ts';
import { type LogRecorder, recordLogs } from '../logs/recorder.ts';
import { createRunEnder } from '../operations/stop/end-run.ts';
import { stopEverythingRequest } from '../operations/stop/unattended.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import { monotonicMs } from '../processes/clock.ts';
import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import { removeGroup } from '../processes/linux/control-groups.ts';
import type { Native } from '../processes/native/native.ts';
import { patienceWith } from '../processes/starvation.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { MovableFolder } from '../project/place/movable-folder.ts';
import type { StopReport } from '../stopping/report.ts';
import type { ProjectState } from '../tracking/project-state.ts';
import type { Reaper } from '../tracking/reaper.ts';
import type { RunGroups } from '../tracking/run-groups.ts';
import { startWitness, type Witness } from '../tracking/witness.ts';
import { createForegroundHolds } from './api/foreground-holds.ts';
import { supervisorRoutes } from './api/routes.ts';
import type { Route, Stream } from './api/server.ts';
import { createLeaseKeeper, type LeaseKeeper } from './policies/lease-keeper.ts';
import { createLimitEnforcer, type LimitEnforcer } from './policies/limit-enforcer.ts';
import { type PlaceWatch, watchPlace } from './policies/place-watch.ts';
import { createStops, hasLeader, type Stops } from './policies/stops.ts';
import { adoptServices, resumeRestarts } from './services/adopt.ts';
import { type Children, createChildren } from './services/children.ts';
import type { ServiceTable } from './services/entry.ts';
import { createServiceTable } from './services/service-table.ts';
import type { StartSession } from './services/start-session.ts';

export interface SupervisionContext {
  readonly folder: MovableFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The subreaper above this process; null: there is none. */
  readonly guard: Identity | null;
  /** The native calls, if they made this process a subreaper; else null. */
  readonly native: Native | null;
  /** Reaps what this process adopts; null where it is no subreaper. */
  readonly reaper: Reaper | null;
  readonly capabilities: Capabilities;
  /** Null when no control groups can be made; `capabilities` says why. */
  readonly groups: RunGroups | null;
  readonly version: string;
  readonly log: (line: string) => void;
  /** The records as earlier supervisors left them. */
  readonly initialState: ProjectState;
  /** True when an earlier supervisor had a process below it when it was ended, recorded or not. */
  readonly inheritsProcesses: boolean;
  /** Called when the project has another path, to write that into the record of this process. */
  readonly onMoved: () => void;
  /** Ends this process. */
  readonly end: () => void;
}

/** How far back the samples go that a new watcher gets first. */
const RECENT_MS = 5 * 60_000;

/** Time without services and connections after which the supervisor ends itself. */
const IDLE_END_MS = 5_000;

/** Everything that a supervisor does, behind its API. */
export interface Supervision {
  readonly routes: Readonly<Record<string, Route>>;
  readonly isAlone: Children['isAlone'];
  close(): void;
}

/** Begins to supervise a project. Adopts what earlier supervisors left running. */
export async function createSupervision(context: SupervisionContext): Promise<Supervision> {
  const watched = new WatchedServices(context, (request, why) =>
    supervisor.stopUnattended(request, why),
  );
  await adoptServices(context.host, watched.services, context.initialState.records);
  const supervisor = new Supervisor(context, watched);
  return supervisor;
}

/** A stop without a manifest: there is nothing to sweep, and no port that is not in a record. */
const STOP_EVERYTHING: SupervisedStopRequest = {
  names: null,
  force: false,
  graceMs: null,
  sweep: { patterns: [], scope: 'off', protect: [] },
  unprotected: false,
  declared: [],
};

type StopUnattended = (request: SupervisedStopRequest, why: string) => Promise<StopReport>;

/** The services of the project, and all that learns of their changes. */
class WatchedServices {
  /** The starts that are under way. */
  readonly starts = new Set<StartSession>();
  readonly listeners = new Set<(event: SupervisorEvent) => void>();
  readonly logs: LogRecorder;
  readonly history: HistoryWriter;
  readonly sampler: Sampler;
  readonly services: ServiceTable;
  readonly limits: LimitEnforcer;
  readonly witness: Witness;
  readonly children: Children;
  readonly #context: SupervisionContext;

  constructor(context: SupervisionContext, stopUnattended: StopUnattended) {
    const { folder, host, self, native, reaper, groups, log } = context;
    this.#context = context;
    this.logs = recordLogs(folder, log);
    this.history = openHistoryWriter(folder, log);
    this.sampler = createSampler(this.history);
    this.services = this.#createServices();
    this.limits = createLimitEnforcer({
      folder,
      self,
      services: this.services,
      onBreach: (breach) => this.#onBreach(breach),
      stopAll: async (manifest, why) => {
        await stopUnattended(stopEverythingRequest(folder, manifest), why);
      },
      log,
    });
    this.witness = this.#startWitness();
    // Made before the adoption, because a run that ends while it is being adopted needs it to be
    // cleaned up.
    this.children = createChildren({
      host,
      folder,
      self,
      native,
      groups,
      reaper,
    });
  }

  /** Follows a move of the project folder. */
  relocate(from: string): void {
    const { root } = this.#context.folder;
    this.services.relocate(from, root);
    this.limits.relocate(from, root);
    for (const { service, log, logRotation } of this.services.records()) {
      this.logs.record(service, log, logRotation ?? null);
    }
  }

  close(): void {
    this.limits.close();
    this.witness.stop();
    this.logs.stop();
    this.history.close();
  }

  #createServices(): ServiceTable {
    const { folder, host, table, self, guard, native, groups, log } = this.#context;
    const { capabilities, initialState, inheritsProcesses } = this.#context;
    return createServiceTable({
      folder,
      table,
      self,
      guard,
      // A process that an earlier supervisor left may have escaped when that supervisor died.
      subreaper: native !== null && !inheritsProcesses && isUntouched(initialState),
      groups,
      whyNoGroups: capabilities.cgroup.why,
      mkfifo: native && ((path) => native.mkfifo(path, 0o600)),
      log,
      onChange: (change) => this.#onChange(change),
      stopTree: createRunEnder({
        host,
        folder,
        self,
        runContained: (...stop) => this.children.runContained(...stop),
      }),
      pinLog: (name) => this.logs.pin(name),
      // A start that is under way here holds the lock for us.
      takeLock: async () =>
        this.starts.size > 0 ? () => {} : takeLockToRestart(host, folder, self),
    });
  }

  #startWitness(): Witness {
    const { host, table, self, native, groups, initialState, log } = this.#context;
    const { sampler, limits } = this;
    return startWitness({
      table,
      self,
      initialState,
      runs: this.services,
      native,
      groups,
      listener: {
        onScan(snapshot, claims) {
          const sample = sampler.onScan(snapshot, claims);
          if (sample) limits.onSample(sample, snapshot, claims);
        },
        isMoving: () => sampler.isMoving(),
        isWatched: () => sampler.hasSubscribers() || limits.isNear(),
      },
      log,
      kill: (target) => host.signal(target, 'SIGKILL'),
    });
  }

  #onChange(change: Omit<ServiceChange, 'afterMs'>): void {
    const { service, from, to, reason, pid } = change;
    this.witness.wake();
    const { record } = this.services.entry(service);
    if (record) this.logs.record(service, record.log, record.logRotation ?? null);
    for (const session of this.starts) session.onChange(change);
    for (const onEvent of this.listeners) onEvent({ ...change, afterMs: 0 });
    this.history.event({ atMs: Date.now(), kind: 'change', service, from, to, reason, pid });
  }

  #onBreach(breach: Breach): void {
    for (const onEvent of this.listeners) onEvent({ type: 'breach', breach });
    this.history.event({ atMs: breach.atMs, kind: 'breach', breach });
  }
}

/** The API of the watched services: stops, leases, holds, and the end of an idle supervisor. */
class Supervisor implements Supervision {
  readonly routes: Readonly<Record<string, Route>>;
  readonly isAlone: Children['isAlone'];
  readonly #context: SupervisionContext;
  readonly #watched: WatchedServices;
  readonly #stops: Stops;
  readonly #leases: LeaseKeeper;
  readonly #idleTimer: NodeJS.Timeout;
  readonly #place: PlaceWatch;
  #connections = 0;
  #idleSinceMs: number;

  constructor(context: SupervisionContext, watched: WatchedServices) {
    this.#context = context;
    this.#watched = watched;
    this.#idleSinceMs = monotonicMs();
    this.isAlone = watched.children.isAlone;
    this.#stops = this.#createStops();
    this.#idleTimer = setInterval(() => this.#checkIdle(), IDLE_END_MS / 2);
    this.#leases = this.#createLeases();
    this.#place = this.#watchPlace();
    this.routes = this.#createRoutes();
    watched.history.event({ atMs: Date.now(), kind: 'supervisor', what: 'began' });
  }

  async stopUnattended(request: SupervisedStopRequest, why: string): Promise<StopReport> {
    // No caller is connected, but the supervisor is not idle.
    this.#connections += 1;
    try {
      const report = await this.#stops.stopInProcess(request, why);
      this.#stops.endAfter(request, report);
      return report;
    } finally {
      this.#disconnect();
    }
  }

  close(): void {
    clearInterval(this.#idleTimer);
    this.#place.close();
    this.#leases.close();
    this.#watched.close();
    this.#watched.history.event({ atMs: Date.now(), kind: 'supervisor', what: 'ended' });
    if (this.#context.groups) removeGroup(this.#context.groups.folder);
  }

  #createStops(): Stops {
    const { host, folder, log, end } = this.#context;
    const { services, witness, starts, children } = this.#watched;
    return createStops({
      host,
      folder,
      services,
      witness,
      starts,
      hasChildren: children.hasChildren,
      runContained: children.runContained,
      onStoppedAll: () => this.#leases.reread(),
      log,
      end,
    });
  }

  #createLeases(): LeaseKeeper {
    const { folder, table, native, initialState, log } = this.#context;
    return createLeaseKeeper({
      folder,
      table,
      initialRecord: initialState.lease,
      endWatch: native?.endWatch() ?? null,
      stop: (request, why) => this.stopUnattended(request, why),
      onEnded: (why) => this.#watched.history.event({ atMs: Date.now(), kind: 'lease', why }),
      log,
    });
  }

  #watchPlace(): PlaceWatch {
    const { host, self, folder, log, onMoved } = this.#context;
    return watchPlace({
      host,
      self,
      folder,
      onMoved: (from) => {
        this.#watched.relocate(from);
        this.#leases.relocate(from, folder.root);
        onMoved();
      },
      onRemoved: (why) => {
        log(`${why}: stopping everything`);
        this.stopUnattended(STOP_EVERYTHING, why).catch((error: unknown) =>
          log(`stopping, because ${why}: ${inWords(error)}`),
        );
      },
      log,
    });
  }

  #createRoutes(): Readonly<Record<string, Route>> {
    const { folder, self, version, capabilities, log } = this.#context;
    const { services, witness, sampler, starts, listeners, limits, children } = this.#watched;
    return supervisorRoutes({
      hello: { version, pid: self.pid, projectId: folder.mark, capabilities },
      services,
      witness,
      sampler,
      recentSamples: () => readRecentSamples(folder, RECENT_MS),
      starts,
      listeners,
      holds: createForegroundHolds({
        log,
        stop: (request, why) => this.stopUnattended(request, why),
      }),
      leases: this.#leases,
      limits,
      resumeRestarts: (request) => resumeRestarts(services, folder, self, request),
      ...children,
      ...this.#stops,
      checkPlace: () => this.#place.checkLocked(),
      whileConnected: (stream, work) => this.#whileConnected(stream, work),
    });
  }

  /** Counts a caller as connected until the whole answer is sent, which may be after the work. */
  #whileConnected(stream: Stream, work: () => Promise<unknown>): Promise<unknown> {
    this.#connections += 1;
    void stream.closed.then(() => this.#disconnect());
    return work();
  }

  #disconnect(): void {
    this.#connections -= 1;
    this.#idleSinceMs = monotonicMs();
  }

  #checkIdle(): void {
    this.#leases.check();
    if (this.#isBusy()) this.#idleSinceMs = monotonicMs();
    else if (monotonicMs() - this.#idleSinceMs >= idleLimitMs()) void this.#endIdle();
  }

  #isBusy(): boolean {
    const { witness, services } = this.#watched;
    return this.#connections > 0 || witness.ownedCount() > 0 || hasLeader(services);
  }

  /**
   * Ends the supervisor, unless it has become busy. Zombies are reaped first, because they would count
   * as processes below it; a start may come meanwhile.
   */
  async #endIdle(): Promise<void> {
    await this.#context.reaper?.reapNow();
    if (this.#isBusy()) return;
    this.#leases.drop();
    this.#context.end();
  }
}

/** On a busy machine a command that has started us needs longer for its first request. */
function idleLimitMs(): number {
  return patienceWith({ state: 'R' }, IDLE_END_MS);
}

/** True when no earlier supervisor has left anything, not even a file that cannot be read. */
function isUntouched({ records, ledger, legacy, problems }: ProjectState): boolean {
  // Processes that a one-off leaves belong to its own `devctl run`, and were never below a supervisor.
  const oneOffs = new Set(records.flatMap(({ oneOff, runId }) => (oneOff ? [runId] : [])));
  const others = [...records, ...ledger].filter(({ runId }) => !oneOffs.has(runId));
  return [others, legacy, problems].every((list) => list.length === 0);
}
