import { expect } from 'vitest';
import { playCases } from '../support/place-cases.ts';
import { hasSubreaper } from '../support/services.ts';
import { bothTest, isFull } from '../support/sets.ts';

/**
 * The cases are the same in each run, so that a failure is one of the change at hand. `npm run zoo -- --places` plays
 * others, 2,000 of them.
 */
const SEED = 73_592;

/** How long to begin new cases, in ms. */
const TIME_MS = isFull ? 90_000 : 15_000;

bothTest.runIf(hasSubreaper)(
  'whatever happens to the places of projects, nothing gets away and no bystander dies',
  async () => {
    const seed = Number(process.env.DEVCTL_TEST_SEED ?? SEED);
    const until = performance.now() + TIME_MS;
    const { faults } = await playCases({ seed, cases: 1_000, atOnce: 2, until });
    expect(faults, `DEVCTL_TEST_SEED=${seed}`).toEqual([]);
  },
);
