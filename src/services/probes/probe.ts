import type { LogSource } from '../../logs/source.ts';
import type { Contain } from '../launch/launch.ts';

/**
 * The answer of one attempt. `reason` is what a user needs to see what is missing:
 * "http://127.0.0.1:3000/health answered 503".
 */
export type ProbeAnswer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'not-yet'; readonly reason: string }
  /** The attempt was ended from outside before the other side had said anything. */
  | { readonly kind: 'cut'; readonly reason: string };

/** A way to ask a service whether it is ready. Adding one: a file here, a line below, the schema. */
export interface Probe {
  /** How long one attempt may take, in ms. */
  readonly attemptMs: number;
  /**
   * Asks once. Answers soon after `signal` is aborted, with nothing left behind.
   *
   * Does not throw: whatever goes wrong is a reason.
   */
  attempt(signal: AbortSignal): Promise<ProbeAnswer>;
}

/** What a probe may need to know of the run that it asks about. */
export interface ProbeContext {
  readonly cwd: string;
  /** The whole environment of the service, marks of the run included. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogSource;
  /** Position in the log when the run began: what is before is of earlier runs. */
  readonly logFrom: number;
  /** Where a probe that runs a program spawns it, so that nothing which that leaves is lost. */
  readonly contain?: Contain;
}
