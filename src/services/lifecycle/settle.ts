import type { ResolvedService } from '../../manifest/resolved.ts';

/**
 * Returns how long a service must live after it came up before a `start` calls it up, in ms.
 *
 * Nothing but its life says that a service without a probe works, and a line of its log may come before the failure. A
 * port or an answer that it gave says more, and a task is expected to end.
 */
export function settleTimeMs({
  ready,
  oneShot,
  settleMs,
}: Pick<ResolvedService, 'ready' | 'oneShot' | 'settleMs'>): number {
  if (oneShot) return 0;
  return ready === null || ready.check.kind === 'log' ? settleMs : 0;
}

/**
 * Longest time that a `start` waits for a service without a readiness probe whose restart policy tries again, in ms: until
 * one of its lives has lasted for its settle time.
 */
export const LONGEST_SETTLING_MS = 30_000;
