import { expect, test } from 'vitest';
import { parseLimit } from '../../../src/processes/linux/process-limits.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             4096                 30000                processes
Max processes pending     7                    7                    x
Max open files            1024                 524288               files
`;

test.each([
  ['Max processes', 4096],
  ['Max open files', 1024],
  ['Max cpu time', null],
  ['Max nonsense', null],
])('%s: %s', (name, expected) => {
  expect(parseLimit(LIMITS, name)).toBe(expected);
});

test('the hard limit', () => {
  expect(parseLimit(LIMITS, 'Max open files', 'hard')).toBe(524_288);
  expect(parseLimit(LIMITS, 'Max cpu time', 'hard')).toBeNull();
});
