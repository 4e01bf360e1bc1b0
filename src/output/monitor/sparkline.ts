const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/**
 * How a value went, one column each, the newest at the right end. Where there was none, there is a space.
 *
 * @param range what the lowest and the highest block mean
 */
export function sparkline(
  values: readonly (number | null)[],
  columns: number,
  { low, high }: { readonly low: number; readonly high: number },
): string {
  const shown = values.slice(Math.max(0, values.length - columns));
  const span = Math.max(high - low, Number.MIN_VALUE);
  const line = shown.map((value) => {
    if (value === null) return ' ';
    const part = Math.min(1, Math.max(0, (value - low) / span));
    return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(part * BLOCKS.length))];
  });
  return line.join('').padStart(columns);
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
