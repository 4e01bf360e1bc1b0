import type { Sample } from './samples.ts';

/** While nothing moves, samples are so far apart at most. */
const LONGEST_GAP_MS = 12_000;

/**
 * Samples as they were taken, more often or less, as one for each of the last `seconds`. One speaks of the
 * time since the one before it; where nobody looked, there are no services.
 *
 * @param samples by time, the oldest first
 * @param nowMs since the epoch; it belongs to the last one
 */
export function perSecond(
  samples: readonly Sample[],
  nowMs: number,
  seconds: number,
): readonly Sample[] {
  let next = 0;
  return Array.from({ length: seconds }, (_, index) => {
    const atMs = nowMs - 1_000 * (seconds - 1 - index);
    while (next < samples.length && (samples[next]?.atMs ?? 0) < atMs) next += 1;
    // What ends now has not been sampled yet: the one before still holds.
    const sample = samples[next] ?? samples.at(-1);
    if (!sample) return { atMs, services: {} };
    const before = samples[next - 1]?.atMs ?? Number.NEGATIVE_INFINITY;
    const isKnown =
      sample.atMs - atMs < 1_000
        ? atMs - sample.atMs <= LONGEST_GAP_MS
        : sample.atMs - before <= LONGEST_GAP_MS;
    return { atMs, services: isKnown ? sample.services : {} };
  });
}
