import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { fullTest, modeTest, test } from '../support/sets.ts';
import { behaviours } from '../support/zoo/behaviours.ts';
import { anyCombination, nested } from '../support/zoo/combinations.ts';
import { lookHere, runnable } from '../support/zoo/here.ts';
import { isHeld, type Mode } from '../support/zoo/modes.ts';
import { alone } from '../support/zoo/service.ts';
import { faultsOf, visit } from '../support/zoo/visit.ts';

// A smaller set than that of `npm run zoo`: each mode takes one start and one stop of the whole zoo.
const here = await lookHere();
const all = behaviours();
const best: Mode = {
  user: here.root ? 'root' : 'ordinary',
  native: here.native,
  cgroup: here.cgroup,
  portable: false,
  holder: 'alive',
  force: false,
};
const MODES: readonly (readonly [title: string, runs: boolean, mode: Mode])[] = [
  ['all that this machine has', true, best],
  [
    'stop --force after the supervisor was killed, without cgroups',
    true,
    { ...best, cgroup: false, holder: 'killed', force: true },
  ],
  ['without native calls and cgroups', true, { ...best, native: false, cgroup: false }],
  // Root is no example for an ordinary user.
  [
    'an ordinary user without cgroups',
    here.root && here.ordinary,
    { ...best, user: 'ordinary', cgroup: false },
  ],
];
/** Dozens of services start and stop at once. */
const TIMEOUT_MS = 600_000;

test('every program of the zoo says how it escapes and what catches it', () => {
  expect(all.length).toBeGreaterThan(50);
  for (const { how, caughtBy } of all) {
    expect(how).toMatch(/\.$/);
    expect(caughtBy).toMatch(/\.$/);
  }
});

describe.runIf(here.any)('the zoo', () => {
  for (const [index, [title, runs, mode]] of MODES.entries()) {
    modeTest(index).runIf(runs)(
      `stop ends the whole zoo: ${title}`,
      async () => {
        const calm = runnable(all, mode, here).filter(({ storm }) => !storm);
        // Its five seconds are waited for in one mode.
        const shown = mode === best ? calm : calm.filter(({ name }) => name !== 'late-escape');
        const seen = await visit(mode, alone(shown));
        expect(faultsOf(seen)).toEqual([]);
        expect(seen.before).toBeGreaterThan(shown.length);
        if (isHeld(mode)) return;
        // A program that may get away says so itself, and so does docs/limits.md.
        const words = new Map(all.map(({ name, caughtBy }) => [name, caughtBy]));
        for (const name of seen.left.keys()) expect(words.get(name), name).toMatch(/cgroup/);
      },
      TIMEOUT_MS,
    );
  }

  fullTest.runIf(here.native || here.cgroup)(
    'stop ends fork storms, and programs that start themselves again',
    async () => {
      const storms = runnable(all, best, here).filter(({ storm }) => storm);
      expect(faultsOf(await visit(best, alone(storms)))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.runIf(here.native || here.cgroup)(
    'stop --force ends one to four nested behaviours',
    async () => {
      const combination = anyCombination(runnable(all, best, here));
      const combinations = fc.array(combination, { minLength: 10, maxLength: 10 });
      await fc.assert(
        fc.asyncProperty(combinations, async (list) => {
          const seen = await visit({ ...best, force: true }, nested(list, all));
          expect(faultsOf(seen)).toEqual([]);
        }),
        // One start and one stop for all ten. A failure shows the seed.
        { numRuns: 1, endOnFailure: true },
      );
    },
    TIMEOUT_MS,
  );
});
