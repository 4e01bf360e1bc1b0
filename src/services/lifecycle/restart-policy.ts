import type { RestartPolicy } from '../../manifest/resolved.ts';
import { timeInWords } from '../../manifest/units.ts';

/** The restarts of a service since somebody asked for it. */
export interface RestartHistory {
  readonly total: number;
  /** When the restarts within the window were decided, oldest first, on the clock of `Host.nowMs`. */
  readonly timesMs: readonly number[];
  /** Number of restarts in a row, without a run between them that was well for `resetAfterMs`. */
  readonly streak: number;
}

export const NO_RESTARTS: RestartHistory = { total: 0, timesMs: [], streak: 0 };

/** How a run has ended. */
export interface EndOfRun {
  /** True unless it ended with an exit code that stands for success. */
  readonly failed: boolean;
  /** How long it had been up and well, in ms; null when it was not. */
  readonly wellMs: number | null;
}

/** Whether and when a service is started again, and why. */
export type RestartDecision =
  | {
      readonly kind: 'restart';
      /** From now until the next spawn. */
      readonly pauseMs: number;
      readonly history: RestartHistory;
      readonly note: string;
    }
  /** `note` is null when the policy wants no restart. */
  | { readonly kind: 'no-restart'; readonly note: string | null };

/** Share by which a pause may be shorter, so that services that fail together do not come back together. */
const JITTER = 0.25;

/**
 * Decides whether and when a service that has ended, or is unhealthy, is started again.
 *
 * The pause doubles with each restart in a row. After a run that was well for `resetAfterMs` it begins anew
 * with the first pause. Such a run does not reset the maximum within the window, because a service that lives
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
    return { kind: 'no-restart', note: null };
  }
  const recent = history.timesMs.filter((at) => nowMs - at < policy.windowMs);
  if (recent.length >= policy.maxRestarts) {
    const within = `${recent.length} restart${recent.length === 1 ? '' : 's'} within ${timeInWords(policy.windowMs)}`;
    return { kind: 'no-restart', note: `given up after ${within}` };
  }
  const streak = (end.wellMs ?? -1) >= policy.resetAfterMs ? 0 : history.streak;
  const total = history.total + 1;
  const longestMs = longestPauseMs(policy, streak);
  const pauseMs = Math.round(longestMs * (1 - JITTER * random));
  return {
    kind: 'restart',
    pauseMs,
    history: { total, timesMs: [...recent, nowMs], streak: streak + 1 },
    note: `restart ${total} after a pause of ${timeInWords(pauseMs)}`,
  };
}

/** Most doublings of a pause. A pause of 1 ms, doubled as often, is longer than any that a manifest can ask for. */
const MOST_DOUBLED = 32;

/** Returns the pause after a number of restarts in a row, before chance makes it shorter. */
function longestPauseMs(
  { backoffMs, maxBackoffMs }: Pick<RestartPolicy, 'backoffMs' | 'maxBackoffMs'>,
  streak: number,
): number {
  // The exponent is limited, because a pause of 0 times infinity would not be a number.
  return Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(streak, MOST_DOUBLED));
}
