import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { restartsOf, spansOf, uptimeMs } from '../../src/report/spans.ts';
import type { StateKind } from '../../src/services/lifecycle/states.ts';
import { changesOf } from '../report/facts.ts';

const period = { fromMs: 100, untilMs: 200 };

describe('states', () => {
  test('reach from one change to the next, clipped to the period', () => {
    const changes = changesOf(
      'web',
      [50, 'starting'],
      [90, 'ready'],
      [150, 'failed', 'exited with code 1'],
    );
    const spans = spansOf(changes, period);
    expect(spans).toMatchObject([
      { state: 'ready', fromMs: 100, untilMs: 150 },
      { state: 'failed', fromMs: 150, untilMs: 200, reason: 'exited with code 1' },
    ]);
    expect(uptimeMs(spans)).toBe(50);
  });

  test('a change of the reason alone begins no new state', () => {
    const changes = changesOf('web', [120, 'stopping'], [140, 'stopping', 'exited with code 0']);
    expect(spansOf(changes, period)).toMatchObject([{ fromMs: 120, reason: 'exited with code 0' }]);
  });

  test('before the first change the state is the one that the change leaves', () => {
    const [first] = spansOf(
      [{ ...changesOf('web', [150, 'failed'])[0], from: 'ready' } as never],
      period,
    );
    expect(first).toMatchObject({ state: 'ready', fromMs: 100, untilMs: 150 });
  });

  test('follow each other without gap or overlap, for any changes', () => {
    const kinds = fc.constantFrom<StateKind[]>(
      'idle',
      'waiting',
      'starting',
      'ready',
      'backoff',
      'failed',
    );
    const steps = fc.array(fc.tuple(fc.nat(300), kinds), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(steps, (some) => {
        const sorted = some.toSorted(([a], [b]) => a - b);
        const spans = spansOf(changesOf('web', ...sorted), period);
        for (const [index, span] of spans.entries()) {
          expect(span.untilMs).toBeGreaterThanOrEqual(span.fromMs);
          if (index > 0) expect(span.fromMs).toBe(spans[index - 1]?.untilMs);
        }
        expect(uptimeMs(spans)).toBeLessThanOrEqual(100);
      }),
    );
  });
});

describe('restarts', () => {
  const again = [
    [110, 'ready'],
    [120, 'clearing', 'exited with code 1'],
    [122, 'clearing'],
    [125, 'backoff', 'exited with code 1'],
    [130, 'spawning'],
    [131, 'starting'],
  ] as const;

  test('a restart counts once, with its reason and the time of the new spawn', () => {
    expect(restartsOf(changesOf('web', ...again), period)).toEqual([
      { atMs: 120, reason: 'exited with code 1', againMs: 130 },
    ]);
  });

  test('a restart that a stop has interrupted has no new spawn', () => {
    const changes = changesOf(
      'web',
      ...again.slice(0, 4),
      [126, 'stopping'],
      [127, 'idle'],
      [140, 'waiting'],
      [141, 'spawning'],
    );
    expect(restartsOf(changes, period)).toMatchObject([{ againMs: null }]);
  });

  test('a stop and a start by a user are no restart', () => {
    const changes = changesOf(
      'web',
      [110, 'ready'],
      [120, 'stopping'],
      [121, 'idle'],
      [122, 'waiting'],
      [123, 'spawning'],
    );
    expect(restartsOf(changes, period)).toEqual([]);
  });
});
