/** Monotonic ms since this process began. */
export function monotonicMs(): number {
  return performance.now();
}

/** A time as records have it: `2026-11-24T02:55:27.000Z`. */
export function isoTime(epochMs: number = Date.now()): string {
  return new Date(epochMs).toISOString();
}
