import type { RestartPolicy } from '../../manifest/resolved.ts';
import { durationInWords } from '../../manifest/units.ts';

/** What is remembered of the restarts of a service since somebody asked for it. */
export interface RestartHistory {
  readonly total: number;
  /** When those within the window were decided, oldest first, on the clock of `Host.nowMs`. */
  readonly timesMs: readonly number[];
  /** How many in a row, with no run between them that was well for `resetAfterMs`. */
  readonly streak: number;
}

export const NO_RESTARTS: RestartHistory = { total: 0, timesMs: [], streak: 0 };

/** How a run has come to its end. */
export interface EndOfRun {
  /** Other than with an exit code that stands for success. */
  readonly failed: boolean;
  /** How long it had been up and well, in ms; null for one that was not. */
  readonly wellMs: number | null;
}

export type RestartDecision =
  | {
      readonly kind: 'restart';
      /** From now until the next spawn. */
      readonly pauseMs: number;
      readonly history: RestartHistory;
      readonly note: string;
    }
  /** `note` is null where nobody wanted it to be started again. */
  | { readonly kind: 'rest'; readonly note: string | null };

/** By how much of itself a pause may be shorter, so that what fails together does not come back together. */
const JITTER = 0.25;

/**
 * Is a service that has ended, or is not well, started again, and when?
 *
 * The pause doubles with each restart in a row; a run that was well for `resetAfterMs` begins anew
 * with the first pause. That has no part in the maximum within the window, or a service that lives
 * just long enough each time would be restarted for ever.
 *
 * @param random from 0 to 1
 */
export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  end: EndOfRun,
  nowMs: number,
  random: number,
): RestartDecision {
  if (policy.policy === 'no' || (policy.policy === 'on-failure' && !end.failed)) {
    return { kind: 'rest', note: null };
  }
  const recent = history.timesMs.filter((at) => nowMs - at < policy.windowMs);
  if (recent.length >= policy.maxRestarts) {
    const within = `${recent.length} restart${recent.length === 1 ? '' : 's'} within ${durationInWords(policy.windowMs)}`;
    return { kind: 'rest', note: `given up after ${within}` };
  }
  const streak = (end.wellMs ?? -1) >= policy.resetAfterMs ? 0 : history.streak;
  const total = history.total + 1;
  const longestMs = longestPauseMs(policy, streak);
  const pauseMs = Math.round(longestMs * (1 - JITTER * random));
  return {
    kind: 'restart',
    pauseMs,
    history: { total, timesMs: [...recent, nowMs], streak: streak + 1 },
    note: `restart ${total} after a pause of ${durationInWords(pauseMs)}`,
  };
}

/** A pause of 1 ms, doubled so often, is longer than any that a manifest can ask for. */
const MOST_DOUBLED = 32;

/** The pause after so many restarts in a row, before chance makes it shorter. */
function longestPauseMs(
  { backoffMs, maxBackoffMs }: Pick<RestartPolicy, 'backoffMs' | 'maxBackoffMs'>,
  streak: number,
): number {
  // Beyond so many every pause is the longest; and 0 times an infinite number would be none.
  return Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(streak, MOST_DOUBLED));
}
