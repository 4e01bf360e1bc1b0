import type { Identity } from '../processes/identity.ts';
import type { Exit, ServiceState } from '../project/service-record.ts';

/**
 * Where a service is in its life.
 *
 * `run` counts the runs of this service that the supervisor knew, so that late news of an earlier
 * run (an exit that is reported after a stop was proved and a new start was asked for) cannot be
 * taken for news of this one. `sinceMs` is when it came into this state, on the clock of `Host.nowMs`.
 */
export type Life = { readonly run: number; readonly sinceMs: number } & (
  | { readonly kind: 'idle' }
  /** Asked to start, but what it depends on is not far enough yet. */
  | { readonly kind: 'waiting' }
  /** A spawn was asked for and has not been answered yet. */
  | { readonly kind: 'spawning' }
  /** Asked to stop in that moment: the answer to the spawn must be awaited. */
  | { readonly kind: 'cancelling'; readonly endsTree: boolean }
  | { readonly kind: 'starting'; readonly leader: Identity }
  /** Without a readiness probe, spawned is up. */
  | { readonly kind: 'running'; readonly leader: Identity }
  | { readonly kind: 'ready'; readonly leader: Identity }
  /** Alive, but it did not become ready in time. */
  | { readonly kind: 'unhealthy'; readonly leader: Identity; readonly reason: string }
  /** Ended by itself with code 0 after it was up. */
  | { readonly kind: 'exited'; readonly exit: Exit; readonly reason: string }
  /** `exit` is null when nothing was ever spawned. */
  | { readonly kind: 'failed'; readonly exit: Exit | null; readonly reason: string }
  /** Lasts until its whole tree is proved dead; `exit` is that of the leader, once it has ended. */
  | { readonly kind: 'stopping'; readonly leader: Identity | null; readonly exit: Exit | null }
);

export type LifeKind = Life['kind'];

/** What can happen to a service. Events that are news of one run say of which. */
export type LifeEvent =
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
  /** `exit`: it came to life, but was gone before anything could be read about it. */
  | {
      readonly kind: 'spawnFailed';
      readonly run: number;
      readonly reason: string;
      readonly exit?: Exit;
    }
  /** A living run of another supervisor was found in the records. */
  | {
      readonly kind: 'adopted';
      readonly identity: Identity;
      readonly wasReady: boolean;
      readonly probed: boolean;
    }
  | { readonly kind: 'exited'; readonly run: number; readonly exit: Exit }
  | { readonly kind: 'probeSucceeded'; readonly run: number }
  | { readonly kind: 'probeTimedOut'; readonly run: number; readonly reason: string }
  /** The supervisor itself is to end it. */
  | { readonly kind: 'askedToStop' }
  /** Somebody else is ending it: no new spawn, no probe, and no exit is a failure from now on. */
  | { readonly kind: 'standDown' }
  /** A stop has proved that nothing of the run is alive. */
  | { readonly kind: 'stopped'; readonly run: number };

export type LifeEventKind = LifeEvent['kind'];

/**
 * What the supervisor must do, in this order, each finished before the next one: a record is on
 * disk before the spawn that it announces.
 */
export type LifeEffect =
  | { readonly kind: 'stopProbe'; readonly run: number }
  | {
      readonly kind: 'writeRecord';
      readonly run: number;
      readonly state: ServiceState;
      readonly reason: string | null;
      readonly leader: Identity | null;
      readonly exit: Exit | null;
    }
  /** Answered by `spawned` or `spawnFailed`, and later by `exited`. */
  | { readonly kind: 'spawn'; readonly run: number }
  /** Answered by `probeSucceeded` or `probeTimedOut`, or by nothing after `stopProbe`. */
  | { readonly kind: 'startProbe'; readonly run: number }
  /** End everything of this run, or join the stop that is already at work; answered by `stopped`. */
  | { readonly kind: 'stopTree'; readonly run: number }
  /** Tell whoever listens, `from` and `to` may be the same when only the reason is news. */
  | {
      readonly kind: 'tell';
      readonly from: LifeKind;
      readonly to: LifeKind;
      readonly reason: string | null;
    };

/** Why an event changed nothing: 'ignored' is normal (a race, a repetition), 'impossible' is a bug. */
export interface Refusal {
  readonly kind: 'ignored' | 'impossible';
  readonly why: string;
}

export interface Step {
  readonly state: Life;
  readonly effects: readonly LifeEffect[];
  /** Null when the event counted. */
  readonly refusal: Refusal | null;
}

/** How a service begins in a new supervisor. */
export const idle: Life = { kind: 'idle', run: 0, sinceMs: 0 };

/** What the record says of this state; null where there is no record to be written. */
export function recordedState(kind: LifeKind): ServiceState | null {
  switch (kind) {
    case 'idle':
    case 'waiting':
      return null;
    case 'spawning':
      return 'starting';
    case 'cancelling':
      return 'stopping';
    default:
      return kind;
  }
}

/** An exit in words: "exited with code 3", "ended by SIGKILL". */
export function exitInWords(exit: Exit): string {
  if (exit.signal !== null) return `ended by ${exit.signal}`;
  if (exit.code !== null) return `exited with code ${exit.code}`;
  return 'ended, how is not known';
}
