import type { StateKind } from '../services/lifecycle/states.ts';
import type { Period, Restart, StateSpan } from './model.ts';

/** A change of state of one service, as the history has it. */
export interface StateChange {
  readonly atMs: number;
  readonly service: string;
  readonly from: StateKind;
  readonly to: StateKind;
  readonly reason: string | null;
  readonly pid: number | null;
  /** The services for which it was not started. Missing: none. */
  readonly blockedBy?: readonly string[];
}

/** States in which a service runs, healthy or not. */
const UP: ReadonlySet<StateKind> = new Set(['running', 'ready', 'unhealthy']);

/**
 * Turns changes into spans: the states of one service within `period`, one after the other, without gaps.
 *
 * @param changes of this service, in order of time, also from before the period
 */
export function spansOf(changes: readonly StateChange[], period: Period): readonly StateSpan[] {
  const [first] = changes;
  if (!first) return [];
  const spans: StateSpan[] = [];
  const { fromMs, untilMs } = period;
  const add = (span: StateSpan): void => {
    const clipped = {
      ...span,
      fromMs: Math.max(fromMs, span.fromMs),
      untilMs: Math.min(untilMs, span.untilMs),
    };
    if (clipped.fromMs < clipped.untilMs || span.fromMs === untilMs) spans.push(clipped);
  };
  if (first.from !== 'idle') {
    add({ state: first.from, fromMs, untilMs: first.atMs, reason: null, pid: null });
  }
  for (const [index, { atMs, to, reason, pid }] of changes.entries()) {
    const next = changes[index + 1]?.atMs ?? Math.max(untilMs, atMs);
    add({ state: to, fromMs: atMs, untilMs: next, reason, pid });
  }
  return mergeEqualStates(spans);
}

/** Merges neighbouring spans of the same state, because a change to the same state only brings a new reason. */
function mergeEqualStates(spans: readonly StateSpan[]): readonly StateSpan[] {
  const result: StateSpan[] = [];
  for (const span of spans) {
    const last = result.at(-1);
    if (last?.state === span.state && last.untilMs === span.fromMs && last.pid === span.pid) {
      const reason = span.reason ?? last.reason;
      result[result.length - 1] = { ...last, untilMs: span.untilMs, reason };
    } else result.push(span);
  }
  return result;
}

export function uptimeMs(spans: readonly StateSpan[]): number {
  return spans
    .filter(({ state }) => UP.has(state))
    .reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0);
}

/**
 * Finds the restarts that the supervisor decided on. The decision is the change to `clearing`, or to
 * `backoff` when there was nothing to clear. Restarts that a user asked for do not count.
 */
export function restartsOf(changes: readonly StateChange[], period: Period): readonly Restart[] {
  const restarts: { atMs: number; reason: string; againMs: number | null; open: boolean }[] = [];
  for (const { atMs, from, to, reason } of changes) {
    const last = restarts.at(-1);
    const isDecision = (to === 'clearing' && from !== 'clearing') || to === 'backoff';
    if (isDecision && !last?.open) {
      restarts.push({ atMs, reason: reason ?? 'why is not known', againMs: null, open: true });
    } else if (last?.open && to !== 'clearing' && to !== 'backoff') {
      last.open = to === 'waiting';
      if (to === 'spawning') last.againMs = atMs;
    }
  }
  return restarts
    .filter(({ atMs }) => atMs >= period.fromMs && atMs <= period.untilMs)
    .map(({ atMs, reason, againMs }) => ({ atMs, reason, againMs }));
}
