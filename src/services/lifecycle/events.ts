import type { RestartPolicy } from '../../manifest/resolved.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Exit, ServiceState } from '../../project/service-record.ts';
import type { LifecycleState, StateKind } from './states.ts';

/** What its manifest says about how it ends. */
export interface RestartTerms {
  readonly restart: RestartPolicy;
  readonly oneShot: boolean;
}

/** What a decision depends on besides the state and the event. */
export interface LifecycleInput {
  /** Monotonic ms, as `Host.nowMs`. */
  readonly nowMs: number;
  /** From 0 to 1, drawn anew for each event. */
  readonly random: number;
  /** Null for one that was adopted and not asked for since: it cannot be started again. */
  readonly terms: RestartTerms | null;
}

/** What can happen to a service. Events that are news of one run say of which. */
export type LifecycleEvent =
  | { readonly kind: 'askedToStart' }
  | { readonly kind: 'dependenciesMet' }
  /** @param chain what it needs, nearest first; the last one is the one that failed (`why`) */
  | {
      readonly kind: 'dependencyFailed';
      readonly chain: readonly string[];
      readonly why: string;
    }
  | {
      readonly kind: 'spawned';
      readonly run: number;
      readonly identity: Identity;
      /** Does it have a readiness probe? */
      readonly probed: boolean;
    }
  /**
   * `exit`: it came to life, but was gone before anything could be read about it. `probed`: it has a readiness probe, so
   * that it cannot have been up.
   */
  | {
      readonly kind: 'spawnFailed';
      readonly run: number;
      readonly reason: string;
      readonly exit?: Exit;
      readonly probed?: boolean;
    }
  /** A living run of another supervisor was found in the records. */
  | {
      readonly kind: 'adopted';
      readonly identity: Identity;
      readonly wasReady: boolean;
      readonly probed: boolean;
      /** How often it was started again before. */
      readonly restarts: number;
    }
  /** The records of another supervisor say that this task is done. */
  | {
      readonly kind: 'recalled';
      readonly exit: Exit;
      readonly reason: string;
      readonly restarts: number;
    }
  /** The records of another supervisor say that it was to be started again when that one ended. */
  | {
      readonly kind: 'interrupted';
      readonly exit: Exit | null;
      readonly reason: string;
      /** How often it was started again before, that time included. */
      readonly restarts: number;
    }
  | { readonly kind: 'exited'; readonly run: number; readonly exit: Exit }
  | { readonly kind: 'probeSucceeded'; readonly run: number }
  | { readonly kind: 'probeTimedOut'; readonly run: number; readonly reason: string }
  /** So many attempts of its liveness probe in a row have failed. */
  | { readonly kind: 'healthLost'; readonly run: number; readonly reason: string }
  | { readonly kind: 'healthRegained'; readonly run: number }
  /** It uses more than it may, and must not go on so. */
  | {
      readonly kind: 'limitPassed';
      readonly run: number;
      readonly reason: string;
      readonly action: 'stop' | 'restart';
    }
  /** The pause before a restart is over, and nobody else is at work in the project. */
  | { readonly kind: 'pauseOver'; readonly run: number }
  /** What is left of the run cannot be ended, or nothing can be started in its place. */
  | { readonly kind: 'stuck'; readonly run: number; readonly reason: string }
  /** The supervisor itself is to end it. */
  | { readonly kind: 'askedToStop' }
  /** Somebody else is ending it: no new spawn, no probe, and no exit is a failure from now on. */
  | { readonly kind: 'standDown' }
  /** A stop has proved that nothing of the run is alive. */
  | { readonly kind: 'stopped'; readonly run: number };

export type LifecycleEventKind = LifecycleEvent['kind'];

/**
 * What the supervisor must do, in this order, each finished before the next one: a record is on
 * disk before the spawn that it announces.
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
  /** Answered by `probeSucceeded` or `probeTimedOut`, or by nothing after `stopProbe`. */
  | { readonly kind: 'startProbe'; readonly run: number }
  /**
   * End everything of this run, with its stop command if that has somebody to speak to; answered by
   * `stopped` or `stuck`, or by nothing after `leaveTree`.
   */
  | { readonly kind: 'stopTree'; readonly run: number; readonly command: boolean }
  /** Somebody else ends it. */
  | { readonly kind: 'leaveTree'; readonly run: number }
  /** Answered by `pauseOver`, or by nothing after `stopPause`. */
  | { readonly kind: 'startPause'; readonly run: number; readonly ms: number }
  | { readonly kind: 'stopPause'; readonly run: number }
  /** Tell whoever listens, `from` and `to` may be the same when only the reason is news. */
  | {
      readonly kind: 'tell';
      readonly from: StateKind;
      readonly to: StateKind;
      readonly reason: string | null;
    };

/** Why an event changed nothing: 'ignored' is normal (a race, a repetition), 'impossible' is a bug. */
export interface Refusal {
  readonly kind: 'ignored' | 'impossible';
  readonly why: string;
}

export interface Step {
  readonly state: LifecycleState;
  readonly effects: readonly LifecycleEffect[];
  /** Null when the event counted. */
  readonly refusal: Refusal | null;
}
