/*
 * The files of this folder, which ask services whether they are ready and well:
 *
 *   probe                        what every probe has: an attempt, and its answer
 *   open                         the probe for a check of the manifest
 *   http, tcp, log, exec, delay  one kind of probe each
 *   readiness                    attempts until a service is ready, or the time is up
 *   liveness                     attempts for as long as a service runs
 *   connection                   failures of connections in words
 *   pause                        the pause between two attempts
 */
import type { LogSource } from '../../logs/source.ts';
import type { Contain } from '../launch/launch.ts';

/**
 * The answer of one attempt. `reason` tells a user what is missing: "http://127.0.0.1:3000/health answered
 * 503".
 */
export type ProbeAnswer =
  | { readonly kind: 'ok' }
  /** `answered`: the service has answered the attempt, so it listens. */
  | { readonly kind: 'not-yet'; readonly reason: string; readonly answered?: boolean }
  /** The attempt was aborted before the service had answered. */
  | { readonly kind: 'cut'; readonly reason: string };

/** A way to ask a service whether it is ready. A new one needs a file here, a line in `open.ts`, and the schema. */
export interface Probe {
  /** How long one attempt may take, in ms. */
  readonly attemptMs: number;
  /** Asks once. Answers soon after `signal` is aborted, and leaves nothing behind. Never throws: a failure is a reason. */
  attempt(signal: AbortSignal): Promise<ProbeAnswer>;
}

/** The run that a probe asks about. */
export interface ProbeContext {
  readonly cwd: string;
  /** The whole environment of the service, the cookie of the run included. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogSource;
  /** Position in the log at which the run began: the lines before it are of earlier runs. */
  readonly logFrom: number;
  /** Spawns the program of a probe where all of its descendants are contained; missing: as any child. */
  readonly contain?: Contain;
}
