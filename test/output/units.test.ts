import { expect, test } from 'vitest';
import { formatDuration } from '../../src/output/terminal/durations.ts';
import { formatSize } from '../../src/output/terminal/sizes.ts';

const MIN = 60_000;
const H = 60 * MIN;

test.each([
  [-5, '0 ms'],
  [0, '0 ms'],
  [0.4, '0 ms'],
  [999.9, '999 ms'],
  [1000, '1.0 s'],
  [1249, '1.2 s'],
  [59_960, '59.9 s'],
  [MIN, '1 min'],
  [3 * MIN + 5999, '3 min 5 s'],
  [59 * MIN + 59_999, '59 min 59 s'],
  [2 * H + 4 * MIN, '2 h 4 min'],
  [24 * H - 1, '23 h 59 min'],
  [24 * H, '1 d'],
  [400 * 24 * H + H, '400 d 1 h'],
])('%d ms reads %j', (ms, expected) => {
  expect(formatDuration(ms)).toBe(expected);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KB'],
  [12.3 * 1024 ** 2, '12.3 MB'],
  [1024 ** 3 - 1, '1.0 GB'],
  [5 * 1024 ** 4, '5.0 TB'],
  [5000 * 1024 ** 4, '5000.0 TB'],
])('%d bytes read %j', (bytes, expected) => {
  expect(formatSize(bytes)).toBe(expected);
});
