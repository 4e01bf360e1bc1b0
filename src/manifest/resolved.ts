import type { SignalName } from '../processes/host.ts';

/** One attempt of a readiness probe, by kind. */
export type ProbeCheck =
  | {
      readonly kind: 'http';
      readonly url: string;
      /** Accepted status codes; empty means any from 200 to 399. */
      readonly status: readonly number[];
      /** Text that the body must contain, null for any. */
      readonly body: string | null;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'log'; readonly pattern: string }
  | { readonly kind: 'exec'; readonly command: string | readonly string[] }
  | { readonly kind: 'delay'; readonly delayMs: number };

export interface ReadinessProbe {
  readonly check: ProbeCheck;
  /** How long the service may take to become ready, from its spawn, in ms. */
  readonly timeoutMs: number;
  /** Pause between two attempts, in ms. */
  readonly intervalMs: number;
}

/** How to find out, once a service is up, that it is still well. */
export interface LivenessProbe {
  readonly check: Exclude<ProbeCheck, { kind: 'delay' }>;
  /** How long one attempt may take, in ms. */
  readonly timeoutMs: number;
  /** Pause between two attempts, and before the first, in ms. */
  readonly intervalMs: number;
  /** So many failed attempts in a row make it unhealthy. */
  readonly failures: number;
}

/**
 * What a service waits for: that the other one was spawned, is up, has succeeded, or has ended in any
 * way.
 */
export type DependencyCondition = 'started' | 'ready' | 'completed' | 'exited';

/** How a service wants to be stopped, kept in its record so that `stop` needs no manifest. */
export interface StopSettings {
  readonly signal: SignalName;
  /** How long the whole claimed set may take to end before SIGKILL, in ms. */
  readonly graceMs: number;
  /** Run before the first signal; a string goes through the shell. */
  readonly command: string | readonly string[] | null;
}

/** Whether, and how, a service that has ended by itself is started again. */
export interface RestartPolicy {
  readonly policy: 'no' | 'on-failure' | 'always';
  /** Most restarts within `windowMs`; with one more it would be given up. */
  readonly maxRestarts: number;
  readonly windowMs: number;
  /** The first pause, in ms; it doubles up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** After a run that was well for so long the pauses begin anew. */
  readonly resetAfterMs: number;
  /** Exit codes that are no failure. */
  readonly successExitCodes: readonly number[];
}

/** The kinds of limits that the supervisor checks while a service runs. */
export const LIMIT_KINDS = ['processes', 'memory', 'cpu', 'runtime', 'idle'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

export function isLimitKind(value: unknown): value is LimitKind {
  return LIMIT_KINDS.some((kind) => kind === value);
}

/** How much of something a service, or all of them together, may use, and what happens beyond that. */
export interface Limit {
  readonly kind: LimitKind;
  /** Processes; bytes; percent of one core; ms of one run; ms without output and cpu. */
  readonly allowed: number;
  /** For `cpu`: over how long it is the mean, in ms. Else 0. */
  readonly windowMs: number;
  readonly action: 'warn' | 'stop' | 'restart';
}

/** What the kernel keeps each process of a service to (getrlimit(2)); null: what the caller has. */
export interface ResourceLimits {
  /** RLIMIT_NOFILE. */
  readonly openFiles: number | null;
  /** RLIMIT_CORE, in bytes. */
  readonly core: number | 'unlimited' | null;
}

/** A service as the manifest asks for it: every default filled in, every path absolute. */
export interface ResolvedService {
  readonly name: string;
  /** A string goes through `/bin/sh -c`, a list is the argument vector itself. */
  readonly command: string | readonly string[];
  readonly cwd: string;
  /** Variables on top of the caller's environment: project envFile, env, service envFile, env. */
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>;
  /** Null: it is up as soon as it was spawned. */
  readonly ready: ReadinessProbe | null;
  /** Null: as long as it is alive it is well. */
  readonly live: LivenessProbe | null;
  readonly restart: RestartPolicy;
  readonly stop: StopSettings;
  /** On its whole tree; each kind at most once. */
  readonly limits: readonly Limit[];
  readonly resources: ResourceLimits;
  /** Does `start` without names start it? */
  readonly autostart: boolean;
  readonly stdin: 'fifo' | 'null';
  /** A task that ends by itself: it counts as done, not as down, once it has succeeded. */
  readonly oneShot: boolean;
  /** Where the manifest defines it, for messages: `.devctl.json:12`. */
  readonly definedAt: string;
}

export interface SweepSettings {
  /** Regular expressions on the whole command line, added to the built-in patterns. */
  readonly patterns: readonly string[];
  /** 'project': only where the working directory is inside the project. 'off': no sweep in `stop`. */
  readonly scope: 'project' | 'user' | 'off';
  /** Regular expressions on the whole command line of what the sweep must never touch. */
  readonly protect: readonly string[];
}

/**
 * Whether services get control groups (cgroup v2): 'auto', where it can be done; 'cgroup', or else
 * nothing is started; 'none', never.
 */
export type Containment = 'auto' | 'cgroup' | 'none';

/** The manifest, validated, merged with `.devctl.local.json` and resolved. */
export interface ResolvedManifest {
  /** Absolute path of the manifest file. */
  readonly file: string;
  /** Real path of the folder of the manifest: the project's identity. */
  readonly root: string;
  readonly name: string;
  /** Variables for one-offs, on top of the caller's environment: envFile and env of the whole project. */
  readonly env: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, ResolvedService>>;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly sweep: SweepSettings;
  /** Absolute path of the records folder, `.pids` by default. */
  readonly pidsDir: string;
  /** Absolute path of the folder for log files. */
  readonly logsDir: string;
  /** How logs are kept small; null: they grow. */
  readonly logRotation: { readonly maxSize: number; readonly keep: number } | null;
  readonly containment: Containment;
  /** On everything together; none of them restarts. */
  readonly limits: readonly Limit[];
}
