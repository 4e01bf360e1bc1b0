import { expect } from 'vitest';
import { playCases } from '../support/place-cases.ts';
import { hasSubreaper } from '../support/services.ts';
import { bothTest, isFull } from '../support/sets.ts';

/** How long to begin new cases, in ms. `npm run zoo -- --places` plays 2,000. */
const TIME_MS = isFull ? 90_000 : 15_000;

bothTest.runIf(hasSubreaper)(
  'whatever happens to the places of projects, nothing gets away and no bystander dies',
  async () => {
    const seed = Number(process.env.DEVCTL_TEST_SEED ?? Math.floor(Math.random() * 1_000_000));
    const until = performance.now() + TIME_MS;
    const { faults } = await playCases({ seed, cases: 1_000, atOnce: 2, until });
    expect(faults, `DEVCTL_TEST_SEED=${seed}`).toEqual([]);
  },
);
