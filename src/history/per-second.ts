import type { Sample } from './samples.ts';

/** Longest time between two samples while a supervisor takes them. */
const LONGEST_GAP_MS = 12_000;

/**
 * Spreads samples, which are more or less frequent, to one sample for each of the last `seconds`. A sample
 * speaks of the time since the sample before it. A second in which nobody took samples has no services.
 *
 * @param samples by time, the oldest first
 * @param nowMs since the epoch, in ms: the end of the last second
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
    // The present second has no sample yet, so the one before still counts.
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
