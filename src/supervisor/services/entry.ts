import type { ServiceChange, StartRequest } from '../../client/protocol.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import type { EndServiceRunRequest } from '../../operations/stop/end-run.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProcessTable } from '../../processes/table.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleEvent } from '../../services/lifecycle/events.ts';
import type { LifecycleState } from '../../services/lifecycle/states.ts';
import type { RunGroups } from '../../tracking/run-groups.ts';

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
  /** True when this supervisor spawned the leader, so that Node reports its exit. */
  spawnedHere: boolean;
  /** True when this run has a readiness probe, as far as is known. */
  probed: boolean;
  /** Ends the readiness probe that is under way. */
  probe: AbortController | null;
  /** The liveness probe of a run, and what ends it. */
  health: { readonly run: number; readonly controller: AbortController } | null;
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
  /** Null when no control groups can be made. */
  readonly groups: RunGroups | null;
  /** Why no control groups can be made; null when they can. */
  readonly whyNoGroups: string | null;
  readonly mkfifo: ((path: string) => void) | null;
  /** Called with every change of state. */
  onChange(change: Omit<ServiceChange, 'afterMs'>): void;
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
