import { expect, test } from 'vitest';
import { perSecond } from '../../src/history/per-second.ts';

const NOW = 1_000_000;
const use = (cpuPercent: number) => ({ web: { processes: 1, memoryBytes: 1, cpuPercent } });
const sample = (secondsAgo: number, cpuPercent: number) => ({
  atMs: NOW - 1_000 * secondsAgo,
  services: use(cpuPercent),
});

test.each([
  ['one a second', [sample(3, 1), sample(2, 2), sample(1, 3), sample(0, 4)], [1, 2, 3, 4]],
  ['a sample counts for the time before it', [sample(3, 1), sample(0, 4)], [1, 4, 4, 4]],
  [
    'the first sample counts for its own second only',
    [sample(1, 1), sample(0, 4)],
    [null, null, 1, 4],
  ],
  ['the last sample counts for a little time after it', [sample(4, 1), sample(2, 2)], [2, 2, 2, 2]],
  ['several within a second', [sample(2.9, 9), sample(2.5, 8), sample(2, 2)], [9, 2, 2, 2]],
  ['no sample for a long time', [sample(60, 1)], [null, null, null, null]],
  ['no samples', [], [null, null, null, null]],
])('%s', (_name, samples, expected) => {
  const seconds = perSecond(samples, NOW, 4);
  expect(seconds.map(({ services }) => services.web?.cpuPercent ?? null)).toEqual(expected);
  expect(seconds.map(({ atMs }) => NOW - atMs)).toEqual([3_000, 2_000, 1_000, 0]);
});
