const UNITS = ['kB', 'MB', 'GB', 'TB'];

/**
 * A size for people, in powers of 1000 as the units say: `512 B`, `12.3 MB`, `1.0 GB`.
 *
 * @param bytes not negative
 */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let value = bytes / 1000;
  let unit = 0;
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
