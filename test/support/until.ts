/**
 * How long `until` waits before it gives up, in milliseconds. Only a test that fails waits for so long, and a machine at
 * load 20 gives two cores to twenty.
 */
const DEADLINE_MS = 60_000;

/**
 * The shortest and the longest pause between two looks, in milliseconds. A look that runs `devctl status` takes as much
 * processor time as a test has for the rest.
 */
const PAUSE_MS = { min: 25, max: 750 };

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
    const began = performance.now();
    try {
      const seen = await probe();
      if (seen) return seen as NonNullable<T>;
      last = seen;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    // A look at the processes of a busy machine takes long. Tests that wait must not take its cores from the others.
    const pause = Math.min(Math.max(3 * (performance.now() - began), PAUSE_MS.min), PAUSE_MS.max);
    await new Promise((resolve) => setTimeout(resolve, pause));
  } while (performance.now() < end);

  const saw = failure === undefined ? `last saw ${String(last)}` : `last error: ${String(failure)}`;
  const what = describe ? `${describe()} (${saw})` : saw;
  throw new Error(`Nothing came within ${DEADLINE_MS / 1000} s: ${what}`, { cause: failure });
}
