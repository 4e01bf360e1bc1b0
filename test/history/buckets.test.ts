import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addToBucket, type Bucket, toSample } from '../../src/history/buckets.ts';
import type { Sample } from '../../src/history/samples.ts';

const WIDTH_MS = 10_000;

const sample = (atMs: number, memoryBytes = 1, cpuPercent = 0, processes = 1): Sample => ({
  atMs,
  services: { web: { processes, memoryBytes, cpuPercent } },
});

/** Gathers samples, one a second unless they say otherwise. */
function thin(samples: readonly Sample[]): readonly Sample[] {
  let bucket: Bucket | null = null;
  const thinned: Sample[] = [];
  let lastMs = (samples[0]?.atMs ?? 0) - 1_000;
  for (const one of samples) {
    const step = addToBucket(bucket, one, one.atMs - lastMs, WIDTH_MS);
    bucket = step.bucket;
    if (step.done) thinned.push(step.done);
    lastMs = one.atMs;
  }
  return bucket ? [...thinned, toSample(bucket)] : thinned;
}

describe('one sample for several', () => {
  test('keeps the peak of memory and processes, and the mean of the cpu', () => {
    expect(
      thin([sample(1_000, 5, 10, 2), sample(2_000, 900, 30, 80), sample(3_000, 6, 20, 3)]),
    ).toEqual([sample(3_000, 900, 20, 80)]);
  });

  test('a sample that speaks of a longer time weighs more', () => {
    expect(thin([sample(1_000, 1, 100), sample(5_000, 1, 0)])).toEqual([sample(5_000, 1, 20)]);
  });

  test('a service that ran for a part of the time used nothing in the rest', () => {
    const without: Sample = { atMs: 2_000, services: {} };
    expect(thin([sample(1_000, 7, 50), without])).toEqual([sample(2_000, 7, 25)]);
  });

  test('after a pause of hours nothing is made up', () => {
    const hour = 3_600_000;
    expect(thin([sample(1_000, 1, 40), sample(hour, 2, 60)])).toEqual([
      sample(1_000, 1, 40),
      sample(hour, 2, 60),
    ]);
  });

  test('no peak is lost, nothing is made up, and there is one sample for each stretch of time', () => {
    const use = fc.tuple(fc.integer({ min: 1, max: 7_000 }), fc.nat(1_000), fc.nat(400));
    fc.assert(
      fc.property(fc.array(use, { minLength: 1, maxLength: 60 }), (uses) => {
        let atMs = 0;
        const all = uses.map(([pause, memory, cpu]) => {
          atMs += pause;
          return sample(atMs, memory, cpu);
        });
        const thinned = thin(all);
        const stretches = all.map((one) => Math.floor(one.atMs / WIDTH_MS));
        expect(thinned.map((one) => Math.floor(one.atMs / WIDTH_MS))).toEqual([
          ...new Set(stretches),
        ]);
        const of = (samples: readonly Sample[]) =>
          samples.flatMap(({ services }) => services.web ?? []);
        const most = Math.max(...of(all).map(({ memoryBytes }) => memoryBytes));
        expect(Math.max(...of(thinned).map(({ memoryBytes }) => memoryBytes))).toBe(most);
        const loads = of(all).map(({ cpuPercent }) => cpuPercent);
        for (const { cpuPercent } of of(thinned)) {
          expect(cpuPercent).toBeGreaterThanOrEqual(Math.min(...loads));
          expect(cpuPercent).toBeLessThanOrEqual(Math.max(...loads));
        }
      }),
    );
  });
});
