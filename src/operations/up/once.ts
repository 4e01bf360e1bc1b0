import type { StateKind } from '../../services/lifecycle/states.ts';

/** What tells one piece of news from another. */
interface News {
  readonly service: string;
  readonly from: StateKind;
  readonly to: StateKind;
  readonly pid: number | null;
  readonly reason: string | null;
}

/**
 * Tells once what comes from two sources, in whatever order: the answer to a start and the events of its
 * supervisor both have all changes of that start, and those of the answer know how long it took.
 */
export function dedupeChanges<Change extends News>(
  tell: (change: Change) => void,
): (source: 'start' | 'hold', change: Change) => void {
  const heard = new Map<string, { start: number; hold: number }>();
  return (source, change) => {
    const { service, from, to, pid, reason } = change;
    const news = `${service} ${from} ${to} ${pid} ${reason}`;
    const counts = heard.get(news) ?? { start: 0, hold: 0 };
    const before = Math.max(counts.start, counts.hold);
    counts[source] += 1;
    heard.set(news, counts);
    if (counts[source] > before) tell(change);
  };
}
