import type { Sample } from '../history/samples.ts';
import type { Lease } from '../leases/file.ts';
import type { Breach } from '../limits/evaluate.ts';
import type { Containment, Limit, ResolvedService, SweepSettings } from '../manifest/resolved.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import type { DeclaredService } from '../project/open-project.ts';
import type { LogRotation } from '../project/service-record.ts';
import type { ContainedCommand } from '../services/launch/stop-command.ts';
import { isUp, type StateKind } from '../services/lifecycle/states.ts';
import type { StopReport } from '../stopping/report.ts';

/**
 * The supervisor's API: HTTP and JSON over a Unix socket, streams as NDJSON. By hand:
 * `curl --unix-socket PATH http://devctl/hello` (the path is in `.pids/supervisor.json`).
 */
export interface Hello {
  readonly version: string;
  readonly pid: number;
  readonly projectId: string;
  /** What it can hold its services with. */
  readonly capabilities: Capabilities;
}

/** The file descriptor on which the starter waits for a line: our address, or nothing. */
export const READY_FD = 3;

/**
 * What a supervisor's Node is told: beside a storm of forks V8 makes room for 16 MB of what is short-lived, and keeps it.
 * With 1 MB it collects that a little more often (node --v8-options).
 */
export const SUPERVISOR_FLAGS = ['--max-semi-space-size=1'] as const;

/** The argument of a supervisor that replaces one with something below it. */
export const INHERITS = '--inherits';

/** `POST /start`. Answered by a stream of `StartEvent`; closing it drops what has not been spawned. */
export interface StartRequest {
  /** In no particular order; what they depend on is among them. */
  readonly services: readonly ResolvedService[];
  /**
   * What runs and is not asked for: a supervisor that has taken it over learns here how to watch it and to
   * start it again.
   */
  readonly running?: readonly ResolvedService[];
  /** The caller's environment, so that services see the terminal that started them. */
  readonly env: Readonly<Record<string, string>>;
  readonly logsDir: string;
  readonly logRotation: LogRotation | null;
  readonly containment: Containment;
  readonly limits: LimitsRequest;
  /** For how long everything is to run; null: as it was before. */
  readonly lease?: LeaseRequest | null;
}

export interface LeaseRequest {
  readonly lease: Lease;
  /** Absolute path of the manifest. */
  readonly manifest: string;
}

/** On everything together. */
export interface LimitsRequest {
  readonly limits: readonly Limit[];
  /** Absolute path of the manifest, which says what a stop of everything sweeps; null: nothing is stopped. */
  readonly manifest: string | null;
}

/** `GET /children`. Null: it is no subreaper, so the answer would prove nothing. */
export interface ChildrenAnswer {
  readonly children: boolean | null;
}

export interface ServiceChange {
  readonly type: 'change';
  readonly service: string;
  readonly from: StateKind;
  readonly to: StateKind;
  readonly reason: string | null;
  readonly pid: number | null;
  /** Is it a task, which is done once it has `exited`? */
  readonly oneShot: boolean;
  /** Since this start was asked for, in ms. */
  readonly afterMs: number;
}

/** What became of one service of a start. */
export interface StartedService {
  readonly name: string;
  readonly state: StateKind;
  readonly pid: number | null;
  readonly reason: string | null;
  /** From the request until it was up (or had failed), in ms. */
  readonly tookMs: number;
  /** Was it up, or done, before? */
  readonly alreadyRunning: boolean;
  /** A task that has succeeded: that counts as up. */
  readonly done: boolean;
  /** The last lines of its log, where it failed. */
  readonly lastLines: readonly string[];
  readonly log: string;
}

export type StartEvent =
  | ServiceChange
  | {
      readonly type: 'result';
      readonly services: readonly StartedService[];
      /** Did a stop come in between, which is waiting for this start to let go of the lock? */
      readonly abandoned: boolean;
    };

/** `POST /stand-down`. Lasts as long as the caller keeps the connection open. */
export interface StandDownRequest {
  /** Null: all. */
  readonly names: readonly string[] | null;
}

/**
 * `POST /stop-command`: runs the stop command of a service below the supervisor, for a caller that has
 * had it stand down. Lasts as long as the caller keeps the connection open.
 */
export interface StopCommandRequest {
  readonly service: string;
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** After `began` it must not be run again, whatever becomes of the supervisor. */
export type StopCommandEvent =
  | { readonly type: 'began' }
  | ({ readonly type: 'ended' } & ContainedCommand);

/** `POST /stop`: the supervisor itself stops services, for a caller that is inside one of them. */
export interface SupervisedStopRequest {
  /** Null: everything, itself included. */
  readonly names: readonly string[] | null;
  readonly sweep: SweepSettings;
  readonly declared: readonly DeclaredService[];
  readonly force: boolean;
  readonly graceMs: number | null;
}

export type SupervisedStopEvent = { readonly type: 'report'; readonly report: StopReport };

/**
 * `POST /hold`: what is to be stopped when the caller hangs up without having released the hold, because
 * he was killed. Answered by a stream of `HoldEvent`.
 */
export interface HoldRequest extends SupervisedStopRequest {
  /** Made up by the caller, for `POST /release`. */
  readonly id: string;
}

/** `held` first, then every event. */
export type HoldEvent = { readonly type: 'held' } | SupervisorEvent;

/** A limit is exceeded: told once, until it has been kept again. */
export interface BreachEvent {
  readonly type: 'breach';
  readonly breach: Breach;
}

/** What everyone who keeps `GET /events` open is told. */
export type SupervisorEvent = ServiceChange | BreachEvent;

/**
 * `GET /samples`: the last minutes first, by time, then each new one. While somebody listens there is one a
 * second.
 */
export type SampleEvent =
  | { readonly type: 'history'; readonly samples: readonly Sample[] }
  | { readonly type: 'sample'; readonly sample: Sample };

/** Is it as whoever started it wants it to be? */
export function hasSucceeded({ state, done }: Pick<StartedService, 'state' | 'done'>): boolean {
  return done || isUp(state);
}
