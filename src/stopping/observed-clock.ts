/** The longest that may have passed between two scans, in ms: more is not held against anybody. */
const LONGEST_STEP_MS = 1_000;

/**
 * Time as a stop has lived through it.
 *
 * A stop that was suspended between two scans (Ctrl-Z, a frozen container, a paused virtual machine) knows
 * nothing of what the services did meanwhile: most likely they were suspended as well, and their grace
 * would be over the moment they wake. So a long gap counts as a short one. Grace gets longer by it, never
 * shorter, and every scan brings the end of it nearer, however slow the machine.
 *
 * @param nowMs monotonic milliseconds
 * @returns the same, without what was slept through; to be asked once a scan
 */
export function observedClock(nowMs: () => number): () => number {
  let lastMs = nowMs();
  let observedMs = lastMs;
  return () => {
    const now = nowMs();
    observedMs += Math.min(now - lastMs, LONGEST_STEP_MS);
    lastMs = now;
    return observedMs;
  };
}
