const UNITS = ['KB', 'MB', 'GB', 'TB'];

/**
 * Formats a size for people, in units of 1024 as in the manifest: `512 B`, `12.3 MB`, `1.0 GB`.
 *
 * @param bytes not negative
 */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let value = bytes / 1024;
  let unit = 0;
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
