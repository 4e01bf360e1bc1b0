import type { StateKind } from '../../services/lifecycle/states.ts';

/** The fields that tell one change from another. */
interface ChangeKey {
  readonly service: string;
  readonly from: StateKind;
  readonly to: StateKind;
  readonly pid: number | null;
  readonly reason: string | null;
}

/**
 * Makes a function that reports each change once although it comes from two sources, in whatever order.
 *
 * The answer to a start and the events of its supervisor both have all changes of that start. Those of the answer also
 * know the time since the request.
 */
export function dedupeChanges<Change extends ChangeKey>(
  onChange: (change: Change) => void,
): (source: 'start' | 'hold', change: Change) => void {
  const received = new Map<string, { start: number; hold: number }>();
  return (source, change) => {
    const { service, from, to, pid, reason } = change;
    const key = `${service} ${from} ${to} ${pid} ${reason}`;
    const counts = received.get(key) ?? { start: 0, hold: 0 };
    const before = Math.max(counts.start, counts.hold);
    counts[source] += 1;
    received.set(key, counts);
    if (counts[source] > before) onChange(change);
  };
}
