/**
 * How long `until` waits before it gives up, in milliseconds. Only a test that fails waits for so long, and a machine at
 * load 20 gives two cores to twenty.
 */
const DEADLINE_MS = 60_000;

/** Pause between two looks, in milliseconds: short enough for quick tests, long enough for two cores. */
const PAUSE_MS = 25;

/**
 * Calls the probe again and again until it returns something truthy, and returns that.
 *
 * A probe that throws counts as "not yet"; its error becomes the cause when time runs out.
 *
 * @param probe is called at least once, never twice at the same time.
 * @param describe gives the error message what was seen; called only on failure.
 * @throws Error after a minute, with the description and the last value or error seen.
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  describe?: () => string,
): Promise<NonNullable<T>> {
  const end = performance.now() + DEADLINE_MS;
  let last: unknown;
  let failure: unknown;
  do {
    try {
      const seen = await probe();
      if (seen) return seen as NonNullable<T>;
      last = seen;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  } while (performance.now() < end);

  const saw = failure === undefined ? `last saw ${String(last)}` : `last error: ${String(failure)}`;
  const what = describe ? `${describe()} (${saw})` : saw;
  throw new Error(`Nothing came within ${DEADLINE_MS / 1000} s: ${what}`, { cause: failure });
}
