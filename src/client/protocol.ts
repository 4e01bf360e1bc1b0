import type { Sample } from '../history/samples.ts';
import type { Lease } from '../leases/file.ts';
import type { Breach } from '../limits/breach.ts';
import type {
  Containment,
  Limit,
  Notify,
  ProtectionSettings,
  ResolvedService,
  SweepSettings,
} from '../manifest/resolved.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import type { DeclaredService } from '../project/open-project.ts';
import type { LogRotation, RecordedDefinition } from '../project/service-record.ts';
import type { ContainedCommand } from '../services/launch/stop-command.ts';
import { isUp, type StateKind } from '../services/lifecycle/states.ts';
import type { StopReport } from '../stopping/report.ts';
import type { StartedService } from './started-service.ts';

/**
 * `GET /hello`: a supervisor introduces itself.
 *
 * The supervisor's API is HTTP and JSON over a Unix socket, with streams as NDJSON. By hand:
 * `curl --unix-socket PATH http://devctl/hello` (the path is in `.pids/supervisor.json`).
 */
export interface Hello {
  readonly version: string;
  readonly pid: number;
  readonly projectId: string;
  /** The means that it has to contain its services. */
  readonly capabilities: Capabilities;
}

/** The file descriptor on which a starter waits for a line from its supervisor: it is ready now. */
export const READY_FD = 3;

/**
 * The flags of a supervisor's Node. During a fork storm V8 grows the space for short-lived objects to 16 MB, and keeps
 * it. With 1 MB it collects them a little more often (node --v8-options).
 */
export const SUPERVISOR_FLAGS = ['--max-semi-space-size=1'] as const;

/** The argument of a supervisor that replaces another one, which has processes below it. */
export const INHERITS = '--inherits';
/** Before the pid of the guard that a supervisor is born below. */
export const GUARDED = '--guarded=';
/** The last argument of a guard whose supervisor was born before it. */
export const SPAWNED = '--spawned';
/**
 * Before the value of NODE_EXTRA_CA_CERTS, which the commands that a supervisor starts get back. Node 20 reads these certificates
 * at each start, 40 ms and 1 MB, and a supervisor itself needs none, because a probe trusts every server.
 */
export const CERTIFICATES = '--extra-certificates=';
/** Before the name of a manifest that is not `.devctl.json`. */
export const MANIFEST_NAME = '--manifest=';

/** `POST /start`. The answer is a stream of `StartEvent`. To close it drops every service that is not spawned yet. */
export interface StartRequest {
  /** The services to start, with all their dependencies among them, in no particular order. */
  readonly services: readonly ResolvedService[];
  /**
   * Services that run and are not to be started. A supervisor that has adopted them learns here how to probe and to
   * restart them.
   */
  readonly running?: readonly ResolvedService[];
  /** The environment of the caller, so that services see the terminal that started them. */
  readonly env: Readonly<Record<string, string>>;
  /** True: the start was made on a terminal, so services may use colours. */
  readonly onTerminal?: boolean;
  readonly logsDir: string;
  readonly logRotation: LogRotation | null;
  readonly containment: Containment;
  readonly protection: ProtectionSettings;
  /** The definition of each service for its record, as far as it is known. */
  readonly definitions?: Readonly<Record<string, RecordedDefinition>>;
  readonly limits: LimitsRequest;
  /** Missing: nobody is told of failures and limits. */
  readonly notify?: NotifyRequest;
  /** The lease that everything runs on; null: the lease stays as it is. */
  readonly lease?: LeaseRequest | null;
}

export interface LeaseRequest {
  readonly lease: Lease;
  /** Absolute path of the manifest. */
  readonly manifest: string;
}

/** How to tell somebody of failures and exceeded limits, and the name of the project in the message. */
export interface NotifyRequest {
  readonly how: Notify;
  readonly project: string;
}

/** The limits of the project: on all services together. */
export interface LimitsRequest {
  readonly limits: readonly Limit[];
  /** Absolute path of the manifest, which says what a stop of everything sweeps. Null: nothing is stopped. */
  readonly manifest: string | null;
}

/** `GET /children`: does the supervisor have a child? Null when it is no subreaper: the answer would prove nothing. */
export interface ChildrenAnswer {
  readonly children: boolean | null;
}

/** A service has entered another state. */
export interface ServiceChange {
  readonly type: 'change';
  readonly service: string;
  readonly from: StateKind;
  readonly to: StateKind;
  readonly reason: string | null;
  /** The last answer of its readiness probe while it is `starting`. Null: this is another change. */
  readonly answer: string | null;
  readonly pid: number | null;
  /** The services for which it was not started: see `blockersOf`. */
  readonly blockedBy: readonly string[];
  /** True for a task, which is done once it has `exited`. */
  readonly oneShot: boolean;
  /** The time since the request of this start, in ms. */
  readonly afterMs: number;
}

export type StartEvent =
  | ServiceChange
  | {
      readonly type: 'result';
      readonly services: readonly StartedService[];
      /** True when a stop has interrupted the start, and waits for it to release the lock. */
      readonly abandoned: boolean;
    };

/** `POST /stand-down`: the supervisor leaves services alone for as long as the caller keeps the connection open. */
export interface StandDownRequest {
  /** Null: all services. */
  readonly names: readonly string[] | null;
}

/**
 * `POST /stop-command`: the supervisor, which has stood down for the caller, runs the stop command of a service as a
 * child of its own. It kills the command when the caller closes the connection.
 */
export interface StopCommandRequest {
  readonly service: string;
  /** The environment of the caller. */
  readonly env: Readonly<Record<string, string>>;
  /** True: the hook that runs once the service is stopped, instead of its stop command. Missing: false. */
  readonly isHook?: boolean;
}

/** After `began` the caller must not run the command again, even if the supervisor dies. */
export type StopCommandEvent =
  | { readonly type: 'began' }
  | ({ readonly type: 'ended' } & ContainedCommand);

/** `POST /stop`: the supervisor itself stops services, for a caller that runs inside one of them. */
export interface SupervisedStopRequest {
  /** Null: everything, the supervisor included. */
  readonly names: readonly string[] | null;
  readonly sweep: SweepSettings;
  /** True: ends the protected processes too. */
  readonly unprotected: boolean;
  readonly declared: readonly DeclaredService[];
  readonly force: boolean;
  readonly graceMs: number | null;
  /** The wish for the containers. Missing: those that a record names are taken down. */
  readonly containers?: { readonly declared: boolean; readonly volumes: boolean } | undefined;
}

export type SupervisedStopEvent = { readonly type: 'report'; readonly report: StopReport };

/**
 * `POST /hold`: a foreground hold. The supervisor carries out this stop when the connection closes and the caller has
 * not released the hold, because then the caller was killed. The answer is a stream of `HoldEvent`.
 */
export interface HoldRequest extends SupervisedStopRequest {
  /** Chosen by the caller, for `POST /release`. */
  readonly id: string;
}

/** The first event is `held`; the events of the supervisor follow. */
export type HoldEvent = { readonly type: 'held' } | SupervisorEvent;

/** A limit is exceeded. Sent once, and again only after the limit has been kept meanwhile. */
export interface BreachEvent {
  readonly type: 'breach';
  readonly breach: Breach;
}

/** One event of `GET /events`, which every subscriber gets. */
export type SupervisorEvent = ServiceChange | BreachEvent;

/**
 * `GET /samples`: the samples of the last minutes first, by time, then each new one. The supervisor takes one a
 * second while anybody subscribes.
 */
export type SampleEvent =
  | { readonly type: 'history'; readonly samples: readonly Sample[] }
  | { readonly type: 'sample'; readonly sample: Sample };

/** Tells whether a service is as its start wanted it: up, or a task that is done. */
export function hasSucceeded({
  state,
  done,
  givenUp = false,
}: Pick<StartedService, 'state' | 'done'> & Partial<Pick<StartedService, 'givenUp'>>): boolean {
  return done || (isUp(state) && !givenUp);
}
