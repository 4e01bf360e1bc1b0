import type { SignalName } from '../processes/host.ts';
import type { DeclaredPorts } from '../processes/ports.ts';
import type { Problem } from './problem.ts';

/** Where a connection goes: an address, or the Unix socket at a path. */
export type TcpTarget =
  | { readonly kind: 'address'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string };

/** The processes whose answer counts for a probe: only those of this project, or any. */
export type AnswerOwner = 'service' | 'any';

/** The check that a probe makes at each attempt, by kind. */
export type ProbeCheck =
  | {
      readonly kind: 'http';
      readonly url: string;
      /** Accepted status codes; empty: any from 200 to 399. */
      readonly status: readonly number[];
      /** Text that the body must contain; null: any body. */
      readonly body: string | null;
      readonly method: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Absolute path of the Unix socket to ask; null: the host of the URL. */
      readonly socketPath: string | null;
      readonly owner: AnswerOwner;
    }
  | {
      readonly kind: 'tcp';
      /** Where the connection goes. The host `localhost` means 127.0.0.1 and ::1. */
      readonly target: TcpTarget;
      readonly owner: AnswerOwner;
    }
  /** `path`: absolute. */
  | { readonly kind: 'file'; readonly path: string }
  /** A process of the service itself listens on each. */
  | { readonly kind: 'ports'; readonly ports: readonly number[] }
  | { readonly kind: 'log'; readonly pattern: string }
  | { readonly kind: 'exec'; readonly command: string | readonly string[] }
  | { readonly kind: 'delay'; readonly delayMs: number };

export interface ReadinessProbe {
  readonly check: ProbeCheck;
  /** Longest time until the service is ready, from its spawn, in ms. */
  readonly timeoutMs: number;
  /** Pause between two attempts, in ms. */
  readonly intervalMs: number;
  /** Longest time of one attempt, in ms; null: as long as the kind of probe and an earlier answer suggest. */
  readonly attemptTimeoutMs: number | null;
  /** How often it is asked again once it was ready, in ms; null: never. */
  readonly recheckMs: number | null;
}

/** A probe that checks whether a service that is up still works. */
export interface LivenessProbe {
  readonly check: Exclude<ProbeCheck, { kind: 'delay' | 'file' | 'ports' }>;
  /** Longest time of one attempt, in ms. */
  readonly timeoutMs: number;
  /** Pause between two attempts, and before the first, in ms. */
  readonly intervalMs: number;
  /** Number of failed attempts in a row after which the service is unhealthy. */
  readonly failures: number;
}

/**
 * The event that a service waits for: the other service was spawned, is up, has succeeded, or has ended in
 * any way.
 */
export type DependencyCondition = 'started' | 'ready' | 'completed' | 'exited';

/** Settings for the stop of a service. Its record has them too, so that `stop` needs no manifest. */
export interface StopSettings {
  readonly signal: SignalName;
  /** Grace period: the longest time for all claimed processes to end before SIGKILL, in ms. */
  readonly graceMs: number;
  /** Command to run before the first signal; a string goes through the shell. */
  readonly command: string | readonly string[] | null;
  /** Command to run once nothing of the service lives, before the proof. Missing: none. */
  readonly stopped?: string | readonly string[];
}

/** An event of a service that a hook can be run for. */
export type HookName = 'ready' | 'unhealthy' | 'exited' | 'failed' | 'limit' | 'stopped';

/** The way to tell somebody who does not look: a message on the desktop, or a command. */
export type Notify = 'desktop' | { readonly command: string | readonly string[] };

/** Rules for the restarts of a service that has ended by itself. */
export interface RestartPolicy {
  readonly policy: 'no' | 'on-failure' | 'always';
  /** Most restarts within `windowMs`. Instead of one more restart, the service is given up. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** The first pause, in ms. It doubles up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Time that a run must be well for the pauses to start again with the first one, in ms. */
  readonly resetAfterMs: number;
  /** Exit codes that count as success. */
  readonly successExitCodes: readonly number[];
}

/** The kinds of limits that the supervisor checks while a service runs. */
export const LIMIT_KINDS = ['processes', 'memory', 'cpu', 'runtime', 'idle'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

export function isLimitKind(value: unknown): value is LimitKind {
  return LIMIT_KINDS.some((kind) => kind === value);
}

/** A limit on the use by one service, or by all together, and the action when it is exceeded. */
export interface Limit {
  readonly kind: LimitKind;
  /**
   * In the unit of the kind: processes; bytes; percent of one core; ms of one run; ms without output and
   * cpu.
   */
  readonly allowed: number;
  /** For `cpu`: the time over which the use is averaged, in ms. Otherwise 0. */
  readonly windowMs: number;
  readonly action: 'warn' | 'stop' | 'restart';
}

/**
 * Limits that the kernel enforces on each process of a service (getrlimit(2)); null: those of the caller.
 */
export interface ResourceLimits {
  /** RLIMIT_NOFILE. */
  readonly openFiles: number | null;
  /** RLIMIT_CORE, in bytes. */
  readonly core: number | 'unlimited' | null;
}

/** A service of the manifest, with every default filled in and every path absolute. */
export interface ResolvedService extends Required<DeclaredPorts> {
  readonly name: string;
  /** A string goes through `/bin/sh -c`; a list is the argument vector. */
  readonly command: string | readonly string[];
  readonly cwd: string;
  /**
   * Variables on top of the caller's environment, in this order: project envFile, env, service envFile,
   * env.
   */
  readonly env: Readonly<Record<string, string>>;
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>;
  /** Null: the service is up as soon as it is spawned. A service that declares TCP ports has them as its default. */
  readonly ready: ReadinessProbe | null;
  /**
   * Time from its spawn, or from the match of its `ready.log`, within which an end makes a `start` fail, in ms. Other
   * probes and tasks need none.
   */
  readonly settleMs: number;
  /** Null: the service counts as healthy while it is alive. */
  readonly live: LivenessProbe | null;
  readonly restart: RestartPolicy;
  readonly stop: StopSettings;
  /** The commands to run at its events. That of `stopped` is in `stop`, because a stop reads no manifest. */
  readonly on: Readonly<Partial<Record<HookName, string | readonly string[]>>>;
  /** Limits on the whole process tree; each kind at most once. */
  readonly limits: readonly Limit[];
  readonly resources: ResourceLimits;
  /** True when `start` without names starts the service. */
  readonly autostart: boolean;
  readonly stdin: 'fifo' | 'null';
  /** True: its stdin, stdout and stderr are a pseudo-terminal of its own. */
  readonly tty: boolean;
  /** 'auto': FORCE_COLOR=1 where it was started on a terminal, unless its environment decides about colours. */
  readonly color: 'auto' | 'never';
  /** True for a task that ends by itself. After success it counts as done, not as down. */
  readonly oneShot: boolean;
  /** Place of the definition in the manifest, for messages: `.devctl.json:12`. */
  readonly definedAt: string;
  /** The same of its `ports`; missing where it has none. */
  readonly portsAt?: string;
  /** Present where no manifest defines it, but the command line that has started it: `devctl start web -- npm run dev`. */
  readonly adHoc?: true;
  /** Present where `devctl up` has found it in a folder without a manifest: nothing but this definition knows all of it. */
  readonly once?: true;
}

export interface SweepSettings {
  /** Regular expressions on the whole command line, added to the built-in patterns. */
  readonly patterns: readonly string[];
  /** 'project': only processes whose working directory is inside the project. 'off': no sweep in `stop`. */
  readonly scope: 'project' | 'user' | 'off';
  /** Regular expressions on the whole command line of processes that the sweep must never touch. */
  readonly protect: readonly string[];
}

/** The rules by which a stop leaves a process alone although it is of a service. */
export interface ProtectionSettings {
  /** Regular expressions on whole command lines. */
  readonly patterns: readonly string[];
  /** True where DEVCTL_PROTECT=1 in the environment of a process protects it. */
  readonly byEnvironment: boolean;
}

/** Nothing but the built-in list. */
export const NO_PROTECTION: ProtectionSettings = { patterns: [], byEnvironment: false };

/**
 * Use of control groups (cgroup v2) for services. 'auto': where the system allows them. 'cgroup': always,
 * and without them nothing is started. 'none': never.
 */
export type Containment = 'auto' | 'cgroup' | 'none';

/** A place of an env file that cannot be read as it stands, or that surprises. */
export interface EnvFinding {
  /** The service whose `envFile` names the file; null: that of the project, so it concerns every service. */
  readonly service: string | null;
  /** 'problem': no service that uses the file is started. 'warning': the user should know. 'note': only `check` says it. */
  readonly severity: 'problem' | 'warning' | 'note';
  readonly found: Problem;
}

/**
 * The part of a manifest that the process of one service sees, by manifest key, as texts that can be
 * compared. It is not expanded, so that neither the caller's environment, nor a move of the project, nor
 * another default of devctl looks like a change. A key that is not given is missing.
 *
 * It holds the values of `env` and env files, so it is never written to disk.
 */
export type Definition = Readonly<Record<string, string>>;

/** The containers of a project: `containers` of its manifest. */
export interface ContainerSettings {
  /** Absolute paths of the compose files. Empty: those with the usual names. */
  readonly files: readonly string[];
  /** The compose services that a start brings up. Null: all. */
  readonly services: readonly string[] | null;
  /** The words that run compose. Null: `docker compose`, else `docker-compose`. */
  readonly command: readonly string[] | null;
  readonly profiles: readonly string[];
  /** False: services are started although the containers cannot be. */
  readonly required: boolean;
  readonly timeoutMs: number;
  /** The answer of a start where somebody else has started the compose project. */
  readonly adopt: 'refuse' | 'use';
  /** The name of the compose project. Null: see `containers/project-name.ts`. */
  readonly project: string | null;
  /** The compose services that each service needs, by service. */
  readonly needs: Readonly<Record<string, Readonly<Record<string, DependencyCondition>>>>;
  /** Place of the definition in the manifest, for messages: `.devctl.json:12`. */
  readonly definedAt: string;
}

/** The manifest, validated, merged with `.devctl.local.json` and resolved. */
export interface ResolvedManifest {
  /** Absolute path of the manifest file. */
  readonly file: string;
  /** Real path of the folder of the manifest: the project's identity. */
  readonly root: string;
  readonly name: string;
  /** Variables for one-offs, on top of the caller's environment: envFile and env of the project. */
  readonly env: Readonly<Record<string, string>>;
  readonly envFindings: readonly EnvFinding[];
  readonly services: Readonly<Record<string, ResolvedService>>;
  /** The part of the manifest that each service sees, to notice a change. Null: an env file cannot be read. */
  readonly definitions: Readonly<Record<string, Definition | null>>;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly sweep: SweepSettings;
  readonly protection: ProtectionSettings;
  /** Absolute path of the records folder, `.pids` by default. */
  readonly pidsDir: string;
  /** Absolute path of the folder for log files. */
  readonly logsDir: string;
  /** Rotation of logs; null: logs grow without limit. */
  readonly logRotation: { readonly maxSize: number; readonly keep: number } | null;
  readonly containment: Containment;
  /** Null: the project has none. */
  readonly containers: ContainerSettings | null;
  /** Null: nobody is told. */
  readonly notify: Notify | null;
  /** Limits on everything together. Their action is never a restart. */
  readonly limits: readonly Limit[];
}
