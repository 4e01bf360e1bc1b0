import type { RestartPolicy } from '../../manifest/resolved.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Exit, ServiceState } from '../../project/service-record.ts';
import type { LifecycleState, StateKind } from './states.ts';

/** The rules of the manifest for the end of a service. */
export interface RestartTerms {
  readonly restart: RestartPolicy;
  readonly oneShot: boolean;
}

/** The facts that a decision depends on, besides the state and the event. */
export interface LifecycleInput {
  /** Monotonic ms, as `Host.nowMs`. */
  readonly nowMs: number;
  /** From 0 to 1, drawn anew for each event. */
  readonly random: number;
  /** Null for a service that was adopted and that nobody has asked for since: it cannot be started again. */
  readonly terms: RestartTerms | null;
}

/** An event in the life of a service. News of one run carries the number of that run. */
export type LifecycleEvent =
  | { readonly kind: 'askedToStart' }
  | { readonly kind: 'dependenciesMet' }
  /** `chain`: the services that it needs, nearest first; the last one has failed, as `why` says. */
  | {
      readonly kind: 'dependencyFailed';
      readonly chain: readonly string[];
      readonly why: string;
    }
  | {
      readonly kind: 'spawned';
      readonly run: number;
      readonly identity: Identity;
      /** True when it has a readiness probe. */
      readonly probed: boolean;
    }
  /**
   * `exit`: the process came to life, but was gone before its identity could be read. `probed`: it has a
   * readiness probe, so it cannot have been up.
   */
  | {
      readonly kind: 'spawnFailed';
      readonly run: number;
      readonly reason: string;
      readonly exit?: Exit;
      readonly probed?: boolean;
    }
  /** The records show a living run of an earlier supervisor. */
  | {
      readonly kind: 'adopted';
      readonly identity: Identity;
      readonly wasReady: boolean;
      readonly probed: boolean;
      /** Present when it was not well, or not ready yet, as far as its record says. */
      readonly unhealthy: Pick<
        Extract<LifecycleState, { kind: 'unhealthy' }>,
        'reason' | 'was'
      > | null;
      /** Number of its restarts so far. */
      readonly restarts: number;
    }
  /** The records of an earlier supervisor say that this task is done. */
  | {
      readonly kind: 'recalled';
      readonly exit: Exit;
      readonly reason: string;
      readonly restarts: number;
    }
  /** The records of an earlier supervisor say that a restart was due when that supervisor ended. */
  | {
      readonly kind: 'interrupted';
      readonly exit: Exit | null;
      readonly reason: string;
      /** Number of its restarts so far, the interrupted one included. */
      readonly restarts: number;
    }
  /**
   * `left`: the process that the command of a service without a probe has left behind, for people. `held`: who holds a
   * port of a service that was not ready yet, since before its start.
   */
  | {
      readonly kind: 'exited';
      readonly run: number;
      readonly exit: Exit;
      readonly left?: string;
      readonly held?: string;
    }
  /**
   * Its command has ended with success, and this process of the run goes on: a daemon, if it answers the readiness probe
   * from now on.
   */
  | { readonly kind: 'daemonized'; readonly run: number; readonly identity: Identity }
  | { readonly kind: 'probeSucceeded'; readonly run: number }
  /**
   * News for people while it is being waited for: the last answer of its probe (`isAnswer`), or that it listens on another
   * port than it declares.
   */
  | {
      readonly kind: 'noticed';
      readonly run: number;
      readonly what: string;
      readonly isAnswer: boolean;
    }
  | { readonly kind: 'probeTimedOut'; readonly run: number; readonly reason: string }
  /**
   * It is not well any more. `restarts`: its liveness probe says so, so its restart policy applies; a repeated readiness
   * probe and closed sockets restart nothing.
   */
  | {
      readonly kind: 'healthLost';
      readonly run: number;
      readonly reason: string;
      readonly restarts: boolean;
    }
  | { readonly kind: 'healthRegained'; readonly run: number }
  /** It exceeds a limit whose action is to stop or to restart it. */
  | {
      readonly kind: 'limitPassed';
      readonly run: number;
      readonly reason: string;
      readonly action: 'stop' | 'restart';
    }
  /** Its terminal hangs up, because the process has ended that held it. Its restart policy applies. */
  | { readonly kind: 'terminalLost'; readonly run: number; readonly reason: string }
  /** The pause before a restart is over, and no other command is at work in the project. */
  | { readonly kind: 'pauseOver'; readonly run: number }
  /** The remains of the run cannot be ended, or nothing can be started in its place. */
  | { readonly kind: 'stuck'; readonly run: number; readonly reason: string }
  /** This supervisor is asked to end it. */
  | { readonly kind: 'askedToStop' }
  /** Another process ends it: from now on there is no spawn and no probe, and no exit is a failure. */
  | { readonly kind: 'standDown' }
  /** A stop has proved that nothing of the run is alive. */
  | { readonly kind: 'stopped'; readonly run: number };

export type LifecycleEventKind = LifecycleEvent['kind'];

/**
 * An effect that the supervisor carries out. It carries out the effects of one step in order, each finished
 * before the next one begins: a record is on disk before the spawn that it announces.
 */
export type LifecycleEffect =
  | { readonly kind: 'stopProbe'; readonly run: number }
  | {
      readonly kind: 'writeRecord';
      readonly run: number;
      readonly state: ServiceState;
      readonly reason: string | null;
      readonly leader: Identity | null;
      readonly exit: Exit | null;
      readonly restarts: number;
    }
  /** Answered by `spawned` or `spawnFailed`, and later by `exited`. */
  | { readonly kind: 'spawn'; readonly run: number }
  /**
   * Answered by `probeSucceeded` or `probeTimedOut`, or by nothing after `stopProbe`. `late`: its time was up already, so
   * there is no end to the asking.
   */
  | { readonly kind: 'startProbe'; readonly run: number; readonly late: boolean }
  /**
   * Ends every process of this run. `command`: first runs its stop command, because the leader is alive.
   * Answered by `stopped` or `stuck`, or by nothing after `leaveTree`.
   */
  | { readonly kind: 'stopTree'; readonly run: number; readonly command: boolean }
  /** Leaves the processes of this run to another process that ends them. */
  | { readonly kind: 'leaveTree'; readonly run: number }
  /** Answered by `pauseOver`, or by nothing after `stopPause`. */
  | { readonly kind: 'startPause'; readonly run: number; readonly ms: number }
  | { readonly kind: 'stopPause'; readonly run: number }
  /** Tells the listeners. `from` and `to` are the same when only the reason is news. */
  | {
      readonly kind: 'tell';
      readonly from: StateKind;
      readonly to: StateKind;
      readonly reason: string | null;
      /** The last answer of the readiness probe. Missing: this is another change. */
      readonly answer?: string;
    };

/** Why an event changed nothing: 'ignored' is normal (a race, a repetition), 'impossible' is a bug. */
export interface Refusal {
  readonly kind: 'ignored' | 'impossible';
  readonly why: string;
}

/** A decision: the next state, and the effects that go with it. */
export interface Step {
  readonly state: LifecycleState;
  readonly effects: readonly LifecycleEffect[];
  /** Null when the event counted. */
  readonly refusal: Refusal | null;
}
