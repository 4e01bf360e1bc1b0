import type { Identity } from '../../processes/identity.ts';
import type { Exit, ServiceState } from '../../project/service-record.ts';
import { NO_RESTARTS, type RestartHistory } from './restart-policy.ts';

/**
 * The state of a service.
 *
 * `run` counts the runs of this service that the supervisor knew, so that late news of an earlier run (an
 * exit that is reported after a stop was proved and a new start was asked for) cannot be taken for news of
 * this run. `sinceMs` is when the service entered this state, on the clock of `Host.nowMs`.
 */
export type LifecycleState = {
  readonly run: number;
  readonly sinceMs: number;
  readonly restarts: RestartHistory;
} & StatePlace;

/** A state, with the data that belongs to it alone. */
export type StatePlace =
  | { readonly kind: 'idle' }
  /** Asked to start, but a service that it needs is not ready for it yet. */
  | { readonly kind: 'waiting' }
  /** A spawn was asked for and has not been answered yet. */
  | { readonly kind: 'spawning' }
  /**
   * Asked to stop during the spawn, whose answer must be awaited. `endsTree`: this supervisor ends the process
   * that the spawn brings.
   */
  | { readonly kind: 'cancelling'; readonly endsTree: boolean }
  | { readonly kind: 'starting'; readonly leader: Identity }
  /** Up, without a readiness probe: a spawned process counts as up. */
  | { readonly kind: 'running'; readonly leader: Identity }
  | { readonly kind: 'ready'; readonly leader: Identity }
  /** Alive, but it did not become ready in time (`was`: starting), or is no longer healthy. */
  | {
      readonly kind: 'unhealthy';
      readonly leader: Identity;
      readonly reason: string;
      readonly was: 'starting' | 'running' | 'ready';
    }
  /** Ended by itself after it was up, with a code that stands for success. `done`: it is a task, and is done. */
  | {
      readonly kind: 'exited';
      readonly exit: Exit;
      readonly reason: string;
      readonly done: boolean;
    }
  /**
   * `exit` is null when nothing was ever spawned. `blockedBy`: it was not spawned, because of a service that it needs, the
   * last of these, nearest first.
   */
  | {
      readonly kind: 'failed';
      readonly exit: Exit | null;
      readonly reason: string;
      readonly blockedBy?: readonly string[];
    }
  /**
   * A restart is due, and the remains of the old run are being ended first. The leader is alive when the run
   * was unhealthy or exceeded a limit. `dueMs`: when the pause is over that began with the decision.
   */
  | {
      readonly kind: 'clearing';
      readonly leader: Identity | null;
      readonly exit: Exit | null;
      readonly reason: string;
      readonly dueMs: number;
      /** True when somebody has asked for it meanwhile, and waits. */
      readonly wanted: boolean;
    }
  /** The old run is proved gone, and the pause before the next run is not over yet. */
  | { readonly kind: 'backoff'; readonly exit: Exit | null; readonly reason: string }
  /**
   * Lasts until the whole tree is proved dead. `exit`: that of the leader, once it has ended. `reason`: why the
   * service has failed, when nobody asked for the stop; else null.
   */
  | {
      readonly kind: 'stopping';
      readonly leader: Identity | null;
      readonly exit: Exit | null;
      readonly reason: string | null;
    };

export type StateKind = LifecycleState['kind'];

/** The first state of a service in a new supervisor. */
export const idle: LifecycleState = { kind: 'idle', run: 0, sinceMs: 0, restarts: NO_RESTARTS };

/** Tells whether a service in this state is asked by its liveness probe. */
export function isProbedForLiveness(state: LifecycleState): boolean {
  if (state.kind === 'unhealthy') return state.was !== 'starting';
  return state.kind === 'running' || state.kind === 'ready';
}

/** Tells whether a service in this state is asked whether it is ready: until it is, also after its time was up. */
export function isProbedForReadiness(state: LifecycleState): boolean {
  return state.kind === 'starting' || (state.kind === 'unhealthy' && state.was === 'starting');
}

/** Returns the state that the record gets for this state; null when no record is written. */
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

/** The signals that a shell reports as 128 and their number, because it has hidden them. The numbers are the same everywhere. */
const SIGNALS_IN_CODES: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};

/** Says an exit in words: "exited with code 3", "exited with code 137 (128 + SIGKILL)", "ended by SIGKILL". */
export function exitInWords(exit: Exit): string {
  if (exit.signal !== null) return `ended by ${exit.signal}`;
  if (exit.code !== null) {
    const signal = SIGNALS_IN_CODES[exit.code - 128];
    return `exited with code ${exit.code}${signal === undefined ? '' : ` (128 + ${signal})`}`;
  }
  return 'ended, exit code unknown (it was taken over)';
}

/**
 * Says that a command without a probe has left something behind.
 *
 * @param left for people: "sleep (pid 9)"
 */
export function leftBehindInWords(left: string): string {
  return `its command ended and left ${left}: drop the &, or give it a ready`;
}

/** Names the services that keep this one from being started. */
export function blockersOf(state: LifecycleState): readonly string[] {
  return state.kind === 'failed' ? (state.blockedBy ?? []) : [];
}

/** Tells whether a service in this state counts as up. */
export function isUp(state: StateKind): boolean {
  return state === 'running' || state === 'ready';
}
