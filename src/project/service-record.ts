import type { ProtectionSettings, StopSettings } from '../manifest/resolved.ts';
import type { Identity } from '../processes/identity.ts';

/** The states of a service in its record (`services/lifecycle/states.ts` has those in memory). */
export type ServiceState =
  | 'starting'
  | 'running'
  | 'ready'
  | 'unhealthy'
  | 'backoff'
  | 'exited'
  | 'failed'
  | 'stopping';

/** How a process ended, as waitpid(2) reports it; one of the two is null. Both null: unknown. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** How the log of a service is kept small. */
export interface LogRotation {
  /** Size in bytes from which on the beginning of the log is moved to another file. */
  readonly maxSize: number;
  /** How many of these files are kept; 0: the beginning is dropped. */
  readonly keep: number;
}

/** The control group of a run (cgroup v2). */
export interface RecordedGroup {
  /** Absolute path in the file system. */
  readonly path: string;
  /**
   * True when the leader was born in the group, so that no process of the run can be outside. False in
   * an intent.
   */
  readonly held: boolean;
  /**
   * How the process that made the group saw the hierarchy (`groupView`): only a process with the same
   * view can tell that the group is gone.
   */
  readonly view?: string;
}

/** The fields that only the record of a one-off has: a command of `devctl run`, or of a hook. */
export interface OneOff {
  /**
   * True when the leader is in the session of a terminal and in the process group of `devctl run`. Else
   * it leads a session of its own, as the leader of a service does.
   */
  readonly terminal: boolean;
  /** True where the supervisor runs it for an event. Missing: `devctl run` does, and ends it when its command ends. */
  readonly hook?: boolean;
}

/** The pseudo-terminal of a run. */
export interface RecordedTerminal {
  /** The leader of the session and of the process group that the service begins in, and the parent of the service. */
  readonly session: Identity;
  /**
   * The process that holds the other side of the terminal, in a session of its own with two helpers. It outlives the
   * supervisor, and ends after the service.
   */
  readonly holder: Identity;
  /** `/dev/pts/5`. Its number is anybody's once the holder has ended. */
  readonly path: string;
}

/**
 * The definition that a run was started with, in its record: a hash for each manifest key. The hashes are
 * keyed, because a plain hash of a short secret in `env` can be guessed.
 */
export interface RecordedDefinition {
  /** 1. A reader that knows another format only cannot tell whether the definition has changed. */
  readonly format: number;
  /** Says which key was used, and nothing about it. */
  readonly key: string;
  /** By manifest key. A key that was not given is missing. */
  readonly hashes: Readonly<Record<string, string>>;
}

/**
 * `.pids/services/NAME.json`: all that later commands need to find, stop and describe one run.
 *
 * devctl writes it as an intent (leader null) before the spawn, and removes it only after proof of
 * death.
 */
export interface ServiceRecord {
  readonly schema: 1;
  readonly service: string;
  /** Real path of the project folder. */
  readonly project: string;
  /** The id of the project (`project.json`). Missing where there is none, and in records of early versions. */
  readonly projectId?: string;
  /** 128 random bits in hex: the value of DEVCTL_RUN in the environment of everything in this run. */
  readonly runId: string;
  readonly state: ServiceState;
  /** Why it is in this state, for people; null when there is nothing to explain. */
  readonly reason: string | null;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** When the intent was written, in the units of `Identity.startTicks`: no older process is ours. */
  readonly intentTicks: number;
  /** The spawned process: session and group leader. Null between intent and spawn. */
  readonly leader: Identity | null;
  /** The supervisor that spawned the run; for a one-off, the command `devctl run`. */
  readonly supervisor: Identity;
  /**
   * The subreaper above that supervisor, which inherits its children when it dies; null when there was
   * none.
   */
  readonly guard: Identity | null;
  /**
   * True when that supervisor was a child subreaper, and the first one since the last full stop, so
   * that no descendant could leave its tree.
   */
  readonly subreaper: boolean;
  /** The control group of the run; null when it has none. */
  readonly cgroup: RecordedGroup | null;
  readonly command: string | readonly string[];
  readonly cwd: string;
  readonly ports: readonly number[];
  /** Declared ports of UDP. Missing: none. */
  readonly udpPorts?: readonly number[];
  /** Ports that its readiness relies on; missing until it is ready, and in records of earlier versions. */
  readonly readyPorts?: readonly number[];
  readonly dependsOn: readonly string[];
  readonly stop: StopSettings;
  /** The protection that the manifest asked for when the run began. Missing: none. */
  readonly protection?: ProtectionSettings;
  /** Says later whether the manifest has changed since this run began. Missing: nobody can tell. */
  readonly definition?: RecordedDefinition;
  /** Absolute path of the log file. */
  readonly log: string;
  /** Position in the log (`TimeMark`) where this run began. Missing before the spawn, and in records of earlier versions. */
  readonly logFrom?: number;
  /** Null, or missing in records of earlier versions: the log is not rotated. */
  readonly logRotation?: LogRotation | null;
  /** Absolute path of the stdin FIFO, null where stdin is /dev/null. */
  readonly stdin: string | null;
  /** Missing: it has no terminal, or is of an earlier version. */
  readonly terminal?: RecordedTerminal;
  /** Wall-clock times, ISO 8601 in UTC, for people only: no decision compares them. */
  readonly startedAt: string;
  readonly readyAt: string | null;
  readonly exitedAt: string | null;
  readonly exit: Exit | null;
  /** Number of restarts since somebody asked for the service. */
  readonly restarts: number;
  /** Present where it was not spawned, because of these services, nearest first. Missing in records of earlier versions. */
  readonly blockedBy?: readonly string[];
  /** True where `leader` is a daemon that the command has left. Missing: it is the command itself. */
  readonly daemon?: boolean;
  /** Missing for a service. */
  readonly oneOff?: OneOff;
  /** True for a task, which is done in the state `exited`. Missing in records of earlier versions. */
  readonly oneShot?: boolean;
  /** True where the command line defined it: `devctl start web -- npm run dev`. Missing: the manifest did. */
  readonly adHoc?: boolean;
  /** True where `devctl up` found it in a folder without a manifest: its record does not hold all of its definition. */
  readonly once?: boolean;
}

/** True when the service was waiting for a restart, or was just being restarted, as this was written. */
export function isRestarting({ state, restarts }: ServiceRecord): boolean {
  return state === 'backoff' || (state === 'starting' && restarts > 0);
}

/** True for a one-off that its own `devctl run` looks after. */
export function isOfRunCommand({ oneOff }: Pick<ServiceRecord, 'oneOff'>): boolean {
  return oneOff !== undefined && oneOff.hook !== true;
}

/** True for a task that has succeeded and need not run again. */
export function isDone({ state, oneShot }: ServiceRecord): boolean {
  return state === 'exited' && oneShot === true;
}

/** True for a task that has ended, with success or without. */
export function isEndedTask({ state, oneShot }: Pick<ServiceRecord, 'state' | 'oneShot'>): boolean {
  return oneShot === true && (state === 'exited' || state === 'failed');
}
