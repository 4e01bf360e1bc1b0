import { expect, test } from 'vitest';
import { observedClock } from '../../src/stopping/observed-clock.ts';

test('a gap counts as one second, and every reading brings the end nearer', () => {
  let now = 500;
  const clock = observedClock(() => now);
  const after = (ms: number): number => {
    now += ms;
    return clock();
  };
  expect([after(0), after(40), after(999)]).toEqual([500, 540, 1_539]);
  expect([after(3_600_000), after(25)]).toEqual([2_539, 2_564]);
  // On a slow machine, where each scan takes two seconds.
  expect([after(2_000), after(2_000), after(2_000)]).toEqual([3_564, 4_564, 5_564]);
});
