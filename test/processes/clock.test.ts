import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime, monotonicMs } from '../../src/processes/clock.ts';

test('a time is written as a Date writes it', () => {
  const inRange = { min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) };
  const property = fc.property(fc.integer(inRange), (atMs) => {
    expect(isoTime(atMs)).toBe(new Date(atMs).toISOString());
  });
  fc.assert(property, { numRuns: 10_000 });
  for (const text of ['2000-02-29', '2100-02-28', '2100-03-01', '2024-12-31', '1970-01-01']) {
    for (const time of ['00:00:00.000Z', '23:59:59.999Z']) {
      expect(isoTime(Date.parse(`${text}T${time}`))).toBe(`${text}T${time}`);
    }
  }
  const before = Date.now();
  expect(Date.parse(isoTime())).toBeGreaterThanOrEqual(before);
});

test('the monotonic clock counts milliseconds, and parts of them', async () => {
  const look = () => [performance.now(), monotonicMs(), performance.now()] as const;
  const [earliest, first, latest] = look();
  await setTimeout(50);
  const [from, second, until] = look();
  expect(second - first).toBeGreaterThan(from - latest - 0.01);
  expect(second - first).toBeLessThan(until - earliest + 0.01);
});
