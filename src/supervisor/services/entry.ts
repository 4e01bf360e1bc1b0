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
  /** What the latest start wants it to be; null for one that was adopted and not asked for since. */
  service: ResolvedService | null;
  /** Has somebody wanted it to end, who did not succeed? */
  unwanted: boolean;
  request: Pick<StartRequest, 'env' | 'logsDir' | 'containment' | 'logRotation'> | null;
  /** The run that `record` speaks of. */
  run: number;
  record: ServiceRecord | null;
  /** Position in its log (`LogNote`) where this run began. */
  logFrom: number;
  /** Did this supervisor spawn its leader, so that Node reports the exit? */
  spawnedHere: boolean;
  /** Has this run a readiness probe, as far as is known? */
  probed: boolean;
  probe: AbortController | null;
  /** What watches the health of a run. */
  health: { readonly run: number; readonly over: AbortController } | null;
  /** What is at work on a restart: ending the old tree, or the pause. */
  restart: AbortController | null;
  /** Events of one service are carried out one after the other, each with all its effects. */
  queue: Promise<void>;
}

export interface ServiceTableContext {
  readonly folder: ProjectFolder;
  readonly table: ProcessTable;
  readonly self: Identity;
  /** Null where no subreaper is above this process. */
  readonly guard: Identity | null;
  readonly subreaper: boolean;
  /** Null where no control groups can be made. */
  readonly groups: RunGroups | null;
  /** Why they cannot; null where they can. */
  readonly groupless: string | null;
  readonly mkfifo: ((path: string) => void) | null;
  /** Hears every change of state. */
  tell(change: Omit<ServiceChange, 'afterMs'>): void;
  /** For what has no listener: goes to the supervisor's log. */
  log(line: string): void;
  /** Keeps the log of a service where it is, until the answer is called. */
  holdLog(name: string): Promise<() => void>;
  /** @returns null when nothing of the run is alive, which is proved; else why not */
  stopTree(name: string, request: EndServiceRunRequest): Promise<string | null>;
  /**
   * Keeps every other devctl out of the project until the answer is called; null while one is at work.
   *
   * @throws DevctlError 'records-unwritable', 'unsafe'
   */
  takeLock(): Promise<(() => void) | null>;
}

/** Feeds events into the life table of each service, and carries the effects out. */
export interface ServiceTable {
  readonly entries: ReadonlyMap<string, ServiceEntry>;
  entry(name: string): ServiceEntry;
  dispatch(name: string, event: LifecycleEvent): Promise<void>;
  records(): readonly ServiceRecord[];
  /** What the run of a service has written last; none where that cannot be read. */
  lastLines(name: string, count: number): Promise<readonly string[]>;
}
