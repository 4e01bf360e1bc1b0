import type { StopSettings } from '../manifest/resolved.ts';
import type { Identity } from '../processes/identity.ts';

/** The states of a service's life (`services/lifecycle.ts` has the table). */
export type ServiceState =
  | 'starting'
  | 'running'
  | 'ready'
  | 'unhealthy'
  | 'backoff'
  | 'exited'
  | 'failed'
  | 'stopping';

/** How a process ended, as waitpid(2) tells it; one of the two is null. Both null: not known. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** How the log of a service is kept small. */
export interface LogRotation {
  /** Size in bytes from which on its beginning is moved to another file. */
  readonly maxSize: number;
  /** How many of these files are kept; 0: what is moved is gone. */
  readonly keep: number;
}

/** The control group of a run (cgroup v2). */
export interface RecordedGroup {
  /** Absolute path in the file system. */
  readonly path: string;
  /** Was the leader born in it, so that nothing of the run can be outside? False in an intent. */
  readonly held: boolean;
  /** How its maker saw the hierarchy (`groupView`): only who sees the same can tell that it is gone. */
  readonly view?: string;
}

/** Of a one-off (`devctl run`). */
export interface OneOff {
  /**
   * Is its leader in the session of a terminal, in the process group of the command that spawned it?
   * Else it leads a session of its own, as that of a service does.
   */
  readonly terminal: boolean;
}

/**
 * `.pids/services/NAME.json`: all that later commands need to find, stop and describe one run.
 *
 * Written as an intent (leader null) before the spawn, and removed only after proof of death.
 */
export interface ServiceRecord {
  readonly schema: 1;
  readonly service: string;
  /** Real path of the project folder. */
  readonly project: string;
  /** 128 random bits in hex: the value of DEVCTL_RUN in the environment of everything in this run. */
  readonly runId: string;
  readonly state: ServiceState;
  /** Why it is in this state, for people; null when there is nothing to explain. */
  readonly reason: string | null;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** The clock in `Identity.startTicks` units when the intent was written: nothing older is ours. */
  readonly intentTicks: number;
  /** The spawned process: session and group leader. Null between intent and spawn. */
  readonly leader: Identity | null;
  /** The supervisor that spawned it; of a one-off, the command `devctl run`. */
  readonly supervisor: Identity;
  /**
   * The subreaper above that supervisor, to which everything below it came if it has died; null where
   * there was none.
   */
  readonly guard: Identity | null;
  /**
   * Was that supervisor a child subreaper, and the first one since the last full stop, so that no
   * descendant could leave its tree?
   */
  readonly subreaper: boolean;
  /** Its control group; null where there is none for it. */
  readonly cgroup: RecordedGroup | null;
  readonly command: string | readonly string[];
  readonly cwd: string;
  readonly ports: readonly number[];
  readonly dependsOn: readonly string[];
  readonly stop: StopSettings;
  /** Absolute path of the log file. */
  readonly log: string;
  /** Null, or missing in records of earlier versions: it grows. */
  readonly logRotation?: LogRotation | null;
  /** Absolute path of the stdin FIFO, null where stdin is /dev/null. */
  readonly stdin: string | null;
  /** Wall-clock times, ISO 8601 in UTC, for people only: no decision compares them. */
  readonly startedAt: string;
  readonly readyAt: string | null;
  readonly exitedAt: string | null;
  readonly exit: Exit | null;
  /** Since it was asked for. */
  readonly restarts: number;
  /** Missing for a service. */
  readonly oneOff?: OneOff;
  /** A task: with the state `exited` it is done. Missing in records of earlier versions. */
  readonly oneShot?: boolean;
}

/** Was it to be started again, or just being so, when this was written? */
export function isRestarting({ state, restarts }: ServiceRecord): boolean {
  return state === 'backoff' || (state === 'starting' && restarts > 0);
}

/** Has it done what it was for, and needs not run? */
export function isDone({ state, oneShot }: ServiceRecord): boolean {
  return state === 'exited' && oneShot === true;
}
