import type { ServiceChange, SupervisedStopRequest, SupervisorEvent } from '../client/protocol.ts';
import { createSampler, type Sampler } from '../history/sampler.ts';
import { type HistoryWriter, openHistoryWriter } from '../history/writer.ts';
import type { Breach } from '../limits/breach.ts';
import { takeLockToRestart } from '../lock/for-restart.ts';
import { type LogRecorder, recordLogs } from '../logs/recorder.ts';
import { createRunEnder } from '../operations/stop/end-run.ts';
import { stopEverythingRequest } from '../operations/stop/unattended.ts';
import { isOfRunCommand } from '../project/service-record.ts';
import type { StopReport } from '../stopping/report.ts';
import { lookAtProject } from '../tracking/look.ts';
import type { ProjectState } from '../tracking/project-state.ts';
import { startWitness, type Witness } from '../tracking/witness.ts';
import type { SupervisionContext } from './context.ts';
import { Hooks } from './policies/hooks.ts';
import { createLimitEnforcer, type LimitEnforcer } from './policies/limit-enforcer.ts';
import { ReadyWatch } from './policies/ready-watch.ts';
import { type Children, createChildren } from './services/children.ts';
import type { RunSurroundings, ServiceTable } from './services/entry.ts';
import { HookRuns } from './services/hook-runs.ts';
import { createServiceTable } from './services/service-table.ts';
import { SocketOwners } from './services/socket-owners.ts';
import type { StartSession } from './services/start-session.ts';

/** Stops services though nobody has asked for it; `why` says the reason. */
export type StopUnattended = (request: SupervisedStopRequest, why: string) => Promise<StopReport>;

/** The services of the project, and all that learns of their changes. */
export class WatchedServices {
  /** The starts that are under way. */
  readonly starts = new Set<StartSession>();
  readonly listeners = new Set<(event: SupervisorEvent) => void>();
  readonly logs: LogRecorder;
  readonly history: HistoryWriter;
  readonly sampler: Sampler;
  readonly sockets: SocketOwners;
  readonly services: ServiceTable;
  readonly readyWatch: ReadyWatch;
  readonly limits: LimitEnforcer;
  readonly witness: Witness;
  readonly children: Children;
  readonly hooks: Hooks;
  readonly #context: SupervisionContext;

  constructor(context: SupervisionContext, stopUnattended: StopUnattended) {
    const { folder, host, self, native, reaper, groups, log } = context;
    this.#context = context;
    this.logs = recordLogs(folder, log);
    this.history = openHistoryWriter(folder, log);
    this.sampler = createSampler(this.history);
    this.sockets = new SocketOwners({ host, folder, log });
    const runs = this.#runContext();
    this.services = this.#createServices(runs);
    this.hooks = new Hooks({ folder, services: this.services, runs: new HookRuns(runs), log });
    this.readyWatch = new ReadyWatch({
      services: this.services,
      sockets: this.sockets,
      isSlow: context.table.kind !== 'proc',
      log,
    });
    this.limits = createLimitEnforcer({
      folder,
      self,
      services: this.services,
      onBreach: (breach) => this.#onBreach(breach),
      stopAll: async (manifest, why) => {
        // Else the stop would end the command that tells of its reason.
        await this.hooks.told();
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
    this.hooks.pause();
    this.limits.close();
    this.readyWatch.close();
    this.witness.stop();
    this.logs.stop();
    this.history.close();
  }

  /** The part of the context that services and hooks have in common: where their runs are made and looked for. */
  #runContext(): RunSurroundings {
    const { folder, host, table, self, guard, native, groups, log } = this.#context;
    const { initialState, inheritsProcesses } = this.#context;
    return {
      folder,
      table,
      self,
      guard,
      // A process that an earlier supervisor left may have escaped when that supervisor died.
      subreaper: native !== null && !inheritsProcesses && isUntouched(initialState),
      groups,
      processesOf: async (runId: string) => {
        const { claims } = await lookAtProject(host, folder);
        return claims.filter((claim) => claim.runId === runId).map(({ process }) => process);
      },
      stopTree: createRunEnder({
        host,
        folder,
        self,
        runContained: (...stop) => this.children.runContained(...stop),
      }),
      log,
    };
  }

  #createServices(runs: RunSurroundings): ServiceTable {
    const { folder, host, self, native, capabilities } = this.#context;
    return createServiceTable({
      ...runs,
      sockets: this.sockets,
      whyNoGroups: capabilities.cgroup.why,
      mkfifo: native && ((path) => native.mkfifo(path, 0o600)),
      onChange: (change) => this.#onChange(change),
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
    const { service, from, to, reason, answer, pid, blockedBy } = change;
    for (const session of this.starts) session.onChange(change);
    for (const onEvent of this.listeners) onEvent({ ...change, afterMs: 0 });
    // It comes every second, and nothing has changed.
    if (answer !== null) return;
    this.hooks.onChange(change);
    this.witness.wake();
    const { record } = this.services.entry(service);
    if (record) this.logs.record(service, record.log, record.logRotation ?? null);
    this.history.event({
      atMs: Date.now(),
      kind: 'change',
      service,
      from,
      to,
      reason,
      pid,
      ...(blockedBy.length > 0 ? { blockedBy } : {}),
    });
  }

  #onBreach(breach: Breach): void {
    for (const onEvent of this.listeners) onEvent({ type: 'breach', breach });
    this.history.event({ atMs: breach.atMs, kind: 'breach', breach });
    this.hooks.onBreach(breach);
  }
}

/** True when no earlier supervisor has left anything, not even a file that cannot be read. */
function isUntouched({ records, ledger, legacy, problems }: ProjectState): boolean {
  // Processes that a one-off leaves belong to its own `devctl run`, and were never below a supervisor.
  const oneOffs = new Set(records.filter(isOfRunCommand).map(({ runId }) => runId));
  const others = [...records, ...ledger].filter(({ runId }) => !oneOffs.has(runId));
  return [others, legacy, problems].every((list) => list.length === 0);
}
