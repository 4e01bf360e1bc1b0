import type { Sample } from '../../history/samples.ts';

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** What all bars together show. */
const SPAN_SECONDS = 60;

/**
 * A value over the last minute in so many steps, the newest last: the most that it was in each. The steps begin at
 * the same moments whenever one looks, so that bars wander and do not flicker.
 *
 * @param samples by time
 * @param measure null: there was none
 */
export function lastMinute(
  samples: readonly Sample[],
  columns: number,
  measure: (sample: Sample) => number | null,
): readonly (number | null)[] {
  const stepMs = 1_000 * Math.max(1, Math.ceil(SPAN_SECONDS / Math.max(1, columns)));
  const stepOf = ({ atMs }: Sample): number => Math.floor(atMs / stepMs);
  const newest = samples.at(-1);
  const steps = Array.from({ length: columns }, (): number | null => null);
  if (!newest) return steps;
  for (const sample of samples) {
    const at = columns - 1 - (stepOf(newest) - stepOf(sample));
    const value = measure(sample);
    if (at < 0 || value === null) continue;
    steps[at] = Math.max(steps[at] ?? value, value);
  }
  return steps;
}

/**
 * How a value went, one column each. Where there was none, there is a space.
 *
 * @param range what the lowest and the highest block mean
 */
export function sparkline(
  values: readonly (number | null)[],
  { low, high }: { readonly low: number; readonly high: number },
): string {
  const span = Math.max(high - low, Number.MIN_VALUE);
  const line = values.map((value) => {
    if (value === null) return ' ';
    const part = Math.min(1, Math.max(0, (value - low) / span));
    return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(part * BLOCKS.length))];
  });
  return line.join('');
}

/** Below a fifth of a core nothing stands out: what is idle lies flat. */
const CALM_PERCENT = 20;

/** From nothing to the most that was used. */
export function cpuRange(values: readonly (number | null)[]) {
  return {
    low: 0,
    high: values.reduce<number>((most, one) => Math.max(most, one ?? 0), CALM_PERCENT),
  };
}

/** What a shell gains by a fork, or a small program by a buffer, is no growth. */
const CALM_BYTES = 16 * 1024 * 1024;

/** From the least on, so that growth is seen; little changes lie flat. */
export function memoryRange(values: readonly (number | null)[]) {
  const some = values.filter((value) => value !== null);
  const low = some.reduce((least, one) => Math.min(least, one), some[0] ?? 0);
  const most = some.reduce((largest, one) => Math.max(largest, one), 0);
  return { low, high: Math.max(most, low * 1.25, low + CALM_BYTES) };
}
