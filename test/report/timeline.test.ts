import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { peakOf, timelineOf } from '../../src/report/timeline.ts';
import { sample } from '../report/facts.ts';

const period = { fromMs: 0, untilMs: 1_000 };

test('a timeline has a gap where the service was not alive, or where no samples were taken', () => {
  const samples = [
    sample(0, { web: 1 }),
    sample(100, { web: 2, api: 1 }),
    sample(200, { api: 1 }),
    sample(300, { web: 3 }),
    sample(900, { web: 4 }),
  ];
  const times = (breaks: readonly number[], service: string | null) =>
    timelineOf(service, samples, period, breaks).map((piece) => piece.map(({ atMs }) => atMs));
  expect(times([], 'web')).toEqual([
    [0, 100],
    [300, 900],
  ]);
  expect(times([500], 'web')).toEqual([[0, 100], [300], [900]]);
  expect(times([], 'constructor')).toEqual([]);
  expect(times([], null)).toEqual([[0, 100, 200, 300, 900]]);
  expect(timelineOf(null, samples, period, [])[0]?.[1]).toMatchObject({
    processes: 3,
    memoryBytes: 3000,
  });
});

test('however many samples there are, no peak is lost and the points stay few and in order', () => {
  const counts = fc.array(fc.option(fc.nat(500), { freq: 8 }), { maxLength: 400 });
  fc.assert(
    fc.property(counts, fc.integer({ min: 2, max: 40 }), (values, most) => {
      const samples = values.map((value, at) =>
        sample(at * 10, value === null ? {} : { web: value }),
      );
      const whole = { fromMs: 0, untilMs: values.length * 10 };
      const pieces = timelineOf('web', samples, whole, [], most);
      const points = pieces.flat();
      const known = values.filter((value) => value !== null);
      expect(Math.max(0, ...points.map(({ processes }) => processes))).toBe(Math.max(0, ...known));
      expect(peakOf('web', samples)?.processes.value ?? 0).toBe(Math.max(0, ...known));
      expect(points.length).toBeLessThanOrEqual(
        Math.max(known.length && most, most) + pieces.length,
      );
      const times = points.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }),
  );
});

test('a peak has the time at which it was first reached', () => {
  const samples = [
    sample(1, { web: 2 }),
    sample(2, { web: 9 }),
    sample(3, { web: 9 }),
    sample(4, {}),
  ];
  expect(peakOf('web', samples)).toMatchObject({ processes: { value: 9, atMs: 2 } });
  expect(peakOf('api', samples)).toBe(null);
});
