import { formatDuration } from './durations.ts';

/** Shows the progress of several services on stderr. */
export interface Progress {
  /**
   * Says that the work on a service has begun, or goes on in another way: `starting`, `waiting for`,
   * `stopping`.
   */
  pending(service: string, doing: string): void;
  /**
   * Says how many services the work is about. Without it only those that were named so far count.
   *
   * @param usualMs how long it usually took; asked once, where somebody waits longer than a moment
   */
  expect(services: number, usualMs?: () => number | null): void;
  /** Shows the last answer of a service that is being waited for. Where there is no terminal it prints nothing. */
  answered(service: string, answer: string): void;
  /** Says that a service is done: `ready in 1.2 s (pid 123)`, `stopped in 30 ms`. */
  succeeded(service: string, outcome: string): void;
  failed(service: string, outcome: string): void;
  /** Prints a line that is about no service. */
  note(text: string): void;
  /** Ends the progress. Always call it, because a spinner that is left behind hides the cursor. */
  close(): void;
}

/** Describes the outcome of a start: `ready in 1.2 s (pid 123)`. */
export function readyOutcome(afterMs: number, pid: number | null): string {
  const took = `ready in ${formatDuration(afterMs)}`;
  return pid === null ? took : `${took} (pid ${pid})`;
}
