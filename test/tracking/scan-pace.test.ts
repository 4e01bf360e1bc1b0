import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SAMPLE_MS } from '../../src/history/samples.ts';
import {
  type LastScan,
  LONGEST_SCAN_PAUSE_MS,
  nextScanPauseMs,
  SHORTEST_SCAN_PAUSE_MS,
  shortestPauseMs,
} from '../../src/tracking/scan-pace.ts';

const AT_REST: LastScan = {
  changed: false,
  moving: false,
  watched: false,
  contained: true,
  grouped: true,
  tookMs: 10,
};

/** Returns the pause after many scans that all saw this. */
function settled(seen: LastScan): number {
  let pauseMs = SHORTEST_SCAN_PAUSE_MS;
  for (let scans = 0; scans < 30; scans += 1) pauseMs = nextScanPauseMs(pauseMs, seen);
  return pauseMs;
}

describe('the pause between two scans', () => {
  test.each([
    ['nothing happens, and no process can escape', AT_REST, 5_000],
    [
      'nothing happens, but processes can escape',
      { ...AT_REST, contained: false },
      LONGEST_SCAN_PAUSE_MS,
    ],
    ['a service works', { ...AT_REST, moving: true }, SAMPLE_MS],
    ['somebody watches', { ...AT_REST, watched: true }, SAMPLE_MS],
    [
      'somebody watches, and processes can escape',
      { ...AT_REST, watched: true, contained: false },
      SAMPLE_MS,
    ],
    ['processes come and go', { ...AT_REST, changed: true }, SHORTEST_SCAN_PAUSE_MS],
    ['they do on a busy machine', { ...AT_REST, changed: true, tookMs: 250 }, 750],
    ['they do on a starved machine', { ...AT_REST, changed: true, tookMs: 5_000 }, SAMPLE_MS],
    [
      'they do on a busy machine, and can escape',
      { ...AT_REST, changed: true, tookMs: 250, contained: false },
      SHORTEST_SCAN_PAUSE_MS,
    ],
  ])('%s', (_what, seen, expected) => {
    expect(settled(seen)).toBe(expected);
  });

  test.each([
    ['slows down at once where no process can escape', {}, [300, 900, 2_700, 5_000, 5_000]],
    [
      'slows down little by little where a scan is the only witness',
      { contained: false },
      [150, 225, 338, 506],
    ],
    [
      'slows down little by little where only a scan knows the service of a daemon',
      { grouped: false },
      [150, 225, 338, 506],
    ],
  ])('%s', (_what, seen, expected) => {
    let pauseMs = SHORTEST_SCAN_PAUSE_MS;
    const pauses = expected.map(() => {
      pauseMs = nextScanPauseMs(pauseMs, { ...AT_REST, ...seen });
      return Math.round(pauseMs);
    });
    expect(pauses).toEqual(expected);
  });

  test('grows by steps up to its longest, and is the shortest again after a change', () => {
    const seen = fc.record({
      changed: fc.constant(false),
      moving: fc.boolean(),
      watched: fc.boolean(),
      grouped: fc.boolean(),
      contained: fc.boolean(),
      tookMs: fc.nat(2_000),
    });
    fc.assert(
      fc.property(fc.nat(10_000), seen, (pauseMs, now) => {
        const next = nextScanPauseMs(pauseMs, now);
        expect(next).toBeGreaterThanOrEqual(SHORTEST_SCAN_PAUSE_MS);
        expect(next).toBeLessThanOrEqual(settled(now));
        const shortest = shortestPauseMs(now);
        const slowdown = now.contained ? 3 : 1.5;
        expect(next).toBeLessThanOrEqual(slowdown * Math.max(pauseMs, shortest));
        expect(nextScanPauseMs(next, { ...now, changed: true })).toBe(shortest);
      }),
    );
  });
});
