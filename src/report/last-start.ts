import type { StateKind } from '../services/lifecycle/states.ts';
import type { StartActivity, StartRow, StateSpan } from './model.ts';
import type { StateChange } from './spans.ts';

/** States on the way up. */
const STARTING: ReadonlySet<StateKind> = new Set(['waiting', 'spawning', 'starting']);
/** States between two attempts of the same start. */
const RETRYING: ReadonlySet<StateKind> = new Set(['clearing', 'backoff']);
/** States from which a start begins. */
const DOWN: ReadonlySet<StateKind> = new Set(['idle', 'exited', 'failed']);

/**
 * Time after the last change of a start in which another beginning still belongs to it, because services
 * are asked for one by one.
 */
const SAME_START_MS = 1_000;

/**
 * Finds the last start. It begins when the first service waits or is spawned, and ends when no service is
 * on its way any more. A restart by policy is no start.
 *
 * @param changes of all services, in order of time
 * @param dependsOn dependencies by service, as far as the manifest can be read
 */
export function lastStartOf(
  changes: readonly StateChange[],
  dependsOn: ReadonlyMap<string, readonly string[]>,
): StartActivity | null {
  let start: OpenStart | null = null;
  for (const change of changes) {
    const { service, atMs, from, to } = change;
    const begins = STARTING.has(to) && DOWN.has(from);
    if (begins && (start === null || !belongsTo(start, atMs))) {
      start = { fromMs: atMs, newsMs: atMs, rows: new Map(), rising: new Set() };
    }
    if (start === null) continue;
    if (begins && !start.rows.has(service)) start.rows.set(service, []);
    if (!start.rows.has(service)) continue;
    // Later changes of a service are no part of the start.
    if (!begins && !start.rising.has(service)) continue;
    start.rows.get(service)?.push(change);
    start.newsMs = atMs;
    if (STARTING.has(to) || RETRYING.has(to)) start.rising.add(service);
    else start.rising.delete(service);
  }
  return start === null ? null : toActivity(start, dependsOn);
}

interface OpenStart {
  readonly fromMs: number;
  newsMs: number;
  readonly rows: Map<string, StateChange[]>;
  readonly rising: Set<string>;
}

function belongsTo({ rising, newsMs }: OpenStart, atMs: number): boolean {
  return rising.size > 0 || atMs - newsMs < SAME_START_MS;
}

function toActivity(
  { fromMs, newsMs, rows }: OpenStart,
  dependsOn: ReadonlyMap<string, readonly string[]>,
): StartActivity {
  const activityRows = [...rows].map(([name, changes]): StartRow => {
    const spans = changes.flatMap(({ to, atMs, reason, pid }, index): StateSpan[] => {
      const next = changes[index + 1]?.atMs ?? newsMs;
      const goesOn = STARTING.has(to) || RETRYING.has(to);
      return goesOn ? [{ state: to, fromMs: atMs, untilMs: next, reason, pid }] : [];
    });
    const end = changes.at(-1);
    const outcome = end && !STARTING.has(end.to) && !RETRYING.has(end.to) ? end.to : null;
    const isUp = outcome === 'ready' || outcome === 'running' || outcome === 'exited';
    return {
      name,
      dependsOn: (dependsOn.get(name) ?? []).filter((one) => rows.has(one)),
      spans,
      outcome,
      reason: end?.reason ?? null,
      readyMs: isUp && end ? end.atMs - fromMs : null,
    };
  });
  return { fromMs, untilMs: newsMs, rows: activityRows };
}
