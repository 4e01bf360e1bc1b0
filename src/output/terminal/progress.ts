import { formatDuration } from './durations.ts';

/** Where several services stand, told on stderr while it happens. */
export interface Progress {
  /** Work on a service has begun or goes on in another way: `starting`, `waiting for`, `stopping`. */
  pending(service: string, doing: string): void;
  /** A service is done: `ready in 1.2 s (pid 123)`, `stopped in 30 ms`. */
  succeeded(service: string, outcome: string): void;
  failed(service: string, outcome: string): void;
  /** A line about none of them. */
  note(text: string): void;
  /** Always call it: a spinner left behind hides the cursor. */
  close(): void;
}

/** The outcome of a start: `ready in 1.2 s (pid 123)`. */
export function readyOutcome(afterMs: number, pid: number | null): string {
  const took = `ready in ${formatDuration(afterMs)}`;
  return pid === null ? took : `${took} (pid ${pid})`;
}
