import type { ServiceChange, StartRequest } from '../../client/protocol.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import type { EndServiceRunRequest } from '../../operations/stop/end-run.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { ProcessTable } from '../../processes/table.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleEvent } from '../../services/lifecycle/events.ts';
import type { LifecycleState } from '../../services/lifecycle/states.ts';
import type { RunGroups } from '../../tracking/run-groups.ts';
import type { SocketOwners } from './socket-owners.ts';

/** A probe that goes on while a run is up. */
export interface RunProbe {
  readonly run: number;
  readonly controller: AbortController;
}

/** The sign that a service is not well: its liveness probe, its repeated readiness probe, or its closed sockets. */
export type Ill = 'liveness' | 'recheck' | 'sockets';

/** A service as the supervisor knows it. */
export interface ServiceEntry {
  readonly name: string;
  state: LifecycleState;
  /** The service as the latest start wants it; null when it was adopted and nobody has asked for it since. */
  service: ResolvedService | null;
  /** True when a stop tried to end it without success: it is not restarted. */
  unwanted: boolean;
  request: Pick<
    StartRequest,
    'env' | 'onTerminal' | 'logsDir' | 'containment' | 'logRotation' | 'protection' | 'definitions'
  > | null;
  /** The number of the run that `record` describes. */
  run: number;
  record: ServiceRecord | null;
  /** Position in its log (`TimeMark`) where this run began. */
  logFrom: number;
  /** Wall-clock time just before the spawn, in ms since the epoch; 0 for an adopted service. */
  spawnedAtMs: number;
  /** Keys of the sockets that listened on its ports before it was spawned: see `judgeSocket`. */
  listenedBefore: ReadonlySet<string>;
  /** The ports of this run that its readiness relies on, once it was ready. */
  reliedPorts: readonly number[];
  /** The commands of probes that run now: each leads a process group. */
  readonly probePids: Set<number>;
  /** Why it is not well now: it is well again when none is left. */
  readonly ills: Set<Ill>;
  /** True when this supervisor spawned the leader, so that Node reports its exit. */
  spawnedHere: boolean;
  /** Resolves when the last words of this run are in its log; null: it writes to its log itself. */
  lastWords: Promise<unknown> | null;
  /** True when the leader of this run is a daemon that its command has left. */
  daemon: boolean;
  /** True when this run has a readiness probe, as far as is known. */
  probed: boolean;
  /** Ends the readiness probe that is under way. */
  probe: AbortController | null;
  /** The liveness probe of a run, and what ends it. */
  health: RunProbe | null;
  /** The readiness probe that is repeated once the run is ready, and what ends it. */
  recheck: RunProbe | null;
  /** Ends the restart that is under way: the end of the old tree, or the pause. */
  restart: AbortController | null;
  /** Events of one service are handled one after the other, each with all its effects. */
  queue: Promise<void>;
}

export interface ServiceTableContext {
  readonly folder: ProjectFolder;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The subreaper above this process; null: there is none. */
  readonly guard: Identity | null;
  /** True when no process of a new run can escape this subreaper: see `ServiceRecord.subreaper`. */
  readonly subreaper: boolean;
  /** Tells whose the listening sockets are. */
  readonly sockets: SocketOwners;
  /** Null when no control groups can be made. */
  readonly groups: RunGroups | null;
  /** Why no control groups can be made; null when they can. */
  readonly whyNoGroups: string | null;
  readonly mkfifo: ((path: string) => void) | null;
  /** Called with every change of state. */
  onChange(change: Omit<ServiceChange, 'afterMs'>): void;
  /** Looks for the living processes of a run. */
  processesOf(runId: string): Promise<readonly ProcessInfo[]>;
  /** Writes a line to the supervisor's log. */
  log(line: string): void;
  /** Pins the log of a service, so that it is not rotated until the returned function is called. */
  pinLog(name: string): Promise<() => void>;
  /**
   * Ends every process of a run.
   *
   * @returns null when it is proved that no process of the run is alive; else why not
   */
  stopTree(name: string, request: EndServiceRunRequest): Promise<string | null>;
  /**
   * Takes the project lock; the returned function releases it. Null while another devctl holds it.
   *
   * @throws DevctlError 'records-unwritable', 'unsafe'
   */
  takeLock(): Promise<(() => void) | null>;
}

/** The part of it that the runs of services and of hooks have in common. */
export type RunSurroundings = Pick<
  ServiceTableContext,
  | 'folder'
  | 'table'
  | 'self'
  | 'guard'
  | 'subreaper'
  | 'groups'
  | 'processesOf'
  | 'stopTree'
  | 'log'
>;

/** Feeds events into the state machine of each service (`lifecycle`), and carries out the effects. */
export interface ServiceTable {
  readonly entries: ReadonlyMap<string, ServiceEntry>;
  /** Returns the entry of a service; makes an idle one for a new name. */
  entry(name: string): ServiceEntry;
  /** Queues an event. Resolves when its effects have been carried out. */
  dispatch(name: string, event: LifecycleEvent): Promise<void>;
  /** Returns the records of all services that have a run. */
  records(): readonly ServiceRecord[];
  /** Writes `services.pids` and its companions now, if a record has changed since they were written. */
  bringFilesInStep(): void;
  /** Follows a move of the project folder: its paths in services and records are those of its new place. */
  relocate(from: string, to: string): void;
  /** Returns the last lines that the run of a service has written; none when they cannot be read. */
  lastLines(name: string, count: number): Promise<readonly string[]>;
}
