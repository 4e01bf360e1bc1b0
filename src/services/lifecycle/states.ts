import type { Identity } from '../../processes/identity.ts';
import type { Exit, ServiceState } from '../../project/service-record.ts';
import { NO_RESTARTS, type RestartHistory } from './restart-policy.ts';

/**
 * Where a service is in its life.
 *
 * `run` counts the runs of this service that the supervisor knew, so that late news of an earlier
 * run (an exit that is reported after a stop was proved and a new start was asked for) cannot be
 * taken for news of this one. `sinceMs` is when it came into this state, on the clock of `Host.nowMs`.
 */
export type LifecycleState = {
  readonly run: number;
  readonly sinceMs: number;
  readonly restarts: RestartHistory;
} & StatePlace;

/** A state, with what belongs to it alone. */
export type StatePlace =
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
  /** Alive, but it did not become ready in time (`was` starting), or is not well any more. */
  | {
      readonly kind: 'unhealthy';
      readonly leader: Identity;
      readonly reason: string;
      readonly was: 'starting' | 'running' | 'ready';
    }
  /** Ended by itself after it was up, with a code that stands for success. `done`: that was its task. */
  | {
      readonly kind: 'exited';
      readonly exit: Exit;
      readonly reason: string;
      readonly done: boolean;
    }
  /** `exit` is null when nothing was ever spawned. */
  | { readonly kind: 'failed'; readonly exit: Exit | null; readonly reason: string }
  /**
   * It is to be started again, and what is left of the old run is being ended first. The leader is
   * alive in it when it was not well. `dueMs`: when the pause that began with the decision is over.
   */
  | {
      readonly kind: 'clearing';
      readonly leader: Identity | null;
      readonly exit: Exit | null;
      readonly reason: string;
      readonly dueMs: number;
      /** Somebody has asked for it meanwhile, and waits. */
      readonly wanted: boolean;
    }
  /** Nothing of the old run is alive: that is proved. The pause before the next one is not over yet. */
  | { readonly kind: 'backoff'; readonly exit: Exit | null; readonly reason: string }
  /**
   * Lasts until its whole tree is proved dead; `exit` is that of the leader, once it has ended. With a reason
   * nobody has asked for it, and it has failed.
   */
  | {
      readonly kind: 'stopping';
      readonly leader: Identity | null;
      readonly exit: Exit | null;
      readonly reason: string | null;
    };

export type StateKind = LifecycleState['kind'];

/** How a service begins in a new supervisor. */
export const idle: LifecycleState = { kind: 'idle', run: 0, sinceMs: 0, restarts: NO_RESTARTS };

/** Is this a state in which a service is asked whether it is well? */
export function isProbedForLiveness(state: LifecycleState): boolean {
  if (state.kind === 'unhealthy') return state.was !== 'starting';
  return state.kind === 'running' || state.kind === 'ready';
}

/** What the record says of this state; null where there is no record to be written. */
export function recordedState(kind: StateKind): ServiceState | null {
  switch (kind) {
    case 'idle':
    case 'waiting':
      return null;
    case 'spawning':
      return 'starting';
    case 'cancelling':
      return 'stopping';
    case 'clearing':
      return 'backoff';
    default:
      return kind;
  }
}

/** An exit in words: "exited with code 3", "ended by SIGKILL". */
export function exitInWords(exit: Exit): string {
  if (exit.signal !== null) return `ended by ${exit.signal}`;
  if (exit.code !== null) return `exited with code ${exit.code}`;
  return 'ended, exit code unknown (it was taken over)';
}

/** The states in which a service counts as up. */
export function isUp(state: StateKind): boolean {
  return state === 'running' || state === 'ready';
}
