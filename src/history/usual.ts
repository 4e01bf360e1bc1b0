import type { StateKind } from '../services/lifecycle/states.ts';
import type { HistoryEvent } from './events.ts';

/** Most earlier starts of a service that count: what it took long ago says little. */
const MOST_STARTS = 5;

const DOWN: ReadonlySet<StateKind> = new Set(['idle', 'exited', 'failed']);
const UP: ReadonlySet<StateKind> = new Set(['ready', 'running', 'exited']);

/**
 * Tells how long a start of these services usually took until all were up, in ms: the median of the last starts of the
 * service that took longest.
 *
 * @param events in order of time
 * @param beforeMs leaves out what happened later: the start under way (ms since the epoch)
 * @returns null where one of them was never started, because it may take longer than all others
 */
export function usualStartMs(
  events: readonly HistoryEvent[],
  services: readonly string[],
  beforeMs = Number.POSITIVE_INFINITY,
): number | null {
  const begun = new Map<string, number>();
  const took = new Map<string, number[]>();
  for (const event of events) {
    if (event.kind !== 'change' || !services.includes(event.service)) continue;
    const { service, from, to, atMs } = event;
    if (atMs >= beforeMs) break;
    const beganMs = begun.get(service);
    if (DOWN.has(from) && !DOWN.has(to)) begun.set(service, atMs);
    else if (beganMs !== undefined && !DOWN.has(from) && UP.has(to)) {
      took.set(service, [...(took.get(service) ?? []), atMs - beganMs].slice(-MOST_STARTS));
      begun.delete(service);
    } else if (DOWN.has(to)) begun.delete(service);
  }
  const medians = [...took.values()].map(medianOf);
  return medians.length < Math.max(services.length, 1) ? null : Math.max(...medians);
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
