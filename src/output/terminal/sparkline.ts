import type { Sample } from '../../history/samples.ts';

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The time that all bars together show. */
const SPAN_SECONDS = 60;

/**
 * Divides the last minute into steps, the newest last, and takes the highest value of each step. The steps
 * begin at the same moments in every call, so that the bars move and do not flicker.
 *
 * @param samples in order of time
 * @param measure null: the sample has no value
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
 * Draws values as bars, one column each. A missing value is a space.
 *
 * @param range the values of the lowest and the highest bar
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

/** Smallest top of the cpu range, so that the line of an idle service is flat: a fifth of a core. */
const CALM_PERCENT = 20;

/** Finds the range of cpu bars: from 0 to the highest value. */
export function cpuRange(values: readonly (number | null)[]) {
  return {
    low: 0,
    high: values.reduce<number>((most, one) => Math.max(most, one ?? 0), CALM_PERCENT),
  };
}

/**
 * Smallest height of the memory range, in bytes: a fork of a shell or a buffer of a small program is no
 * growth.
 */
const CALM_BYTES = 16 * 1024 * 1024;

/**
 * Finds the range of memory bars. It begins at the lowest value, so that growth is seen and small changes
 * are flat.
 */
export function memoryRange(values: readonly (number | null)[]) {
  const some = values.filter((value) => value !== null);
  const low = some.reduce((least, one) => Math.min(least, one), some[0] ?? 0);
  const most = some.reduce((largest, one) => Math.max(largest, one), 0);
  return { low, high: Math.max(most, low * 1.25, low + CALM_BYTES) };
}
