/** Longest time between two scans that counts, in ms. The rest of a longer gap is left out. */
const LONGEST_STEP_MS = 1_000;

/**
 * Builds a clock that leaves out the gaps in which the stop itself was suspended.
 *
 * A stop that was suspended between two scans (Ctrl-Z, a frozen container, a paused virtual machine) does not
 * know what the services did meanwhile. Most likely they were suspended as well, and their grace period would
 * be over the moment they wake. So a long gap counts as a short one. That makes a grace period longer, never
 * shorter, and every scan brings its end nearer, however slow the machine.
 *
 * @param nowMs monotonic milliseconds
 * @returns the clock, in ms; to be read once a scan
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
