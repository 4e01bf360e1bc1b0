import { test as everyTest, type TestAPI } from 'vitest';

/**
 * The tests that this run of the suite is to run: those of `npm test` ('quick'), those that only `npm run test:full`
 * runs ('full'), or both ('all').
 */
export const set = process.env.DEVCTL_TEST_SET ?? 'quick';

/** True where properties look longer and nothing is left out. */
export const isFull = set !== 'quick';

/** Stands for a test that belongs to the other set: it registers nothing, whatever is called on it. */
const noTest = new Proxy(() => {}, {
  get: () => noTest,
  apply: () => noTest,
}) as unknown as TestAPI;

/** A test of `npm test`, in a file that has tests of both sets. */
export const test: TestAPI = set === 'full' ? noTest : everyTest;

/** A test of `npm run test:full`: a further mode of a behaviour that `npm test` covers in another mode. */
export const fullTest: TestAPI = set === 'quick' ? noTest : everyTest;

/** The test for a mode of a behaviour: the first mode runs in `npm test`, the others in `npm run test:full`. */
export function modeTest(index: number): TestAPI {
  return index === 0 ? test : fullTest;
}

/** A test of both sets, which looks longer in `npm run test:full`: see `isFull`. */
export const bothTest: TestAPI = everyTest;

/**
 * Does the same as `test.each`: the first row runs in `npm test`, the others in `npm run test:full`. So the first row is
 * the mode that most people have, or the fastest one.
 */
export const eachMode = eachModeIf(true);

/** Does the same as `test.runIf(…).each`, with the rows in the same sets. */
export function eachModeIf(runs: boolean): TestAPI['each'] {
  const each = (rows: readonly unknown[]) => {
    const tests = [
      test.runIf(runs).each(rows.slice(0, 1)),
      fullTest.runIf(runs).each(rows.slice(1)),
    ];
    return (...args: Parameters<(typeof tests)[0]>) => {
      for (const add of tests) add(...args);
    };
  };
  // The type of `each` has many forms of the same call.
  return each as TestAPI['each'];
}
