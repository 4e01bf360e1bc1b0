import { expect, test } from 'vitest';
import { observedClock } from '../../src/stopping/observed-clock.ts';

test('what was slept through counts as a second, and every look brings the end nearer', () => {
  let now = 500;
  const clock = observedClock(() => now);
  const after = (ms: number): number => {
    now += ms;
    return clock();
  };
  expect([after(0), after(40), after(999)]).toEqual([500, 540, 1_539]);
  expect([after(3_600_000), after(25)]).toEqual([2_539, 2_564]);
  // A machine on its knees: looks that take two seconds each.
  expect([after(2_000), after(2_000), after(2_000)]).toEqual([3_564, 4_564, 5_564]);
});
