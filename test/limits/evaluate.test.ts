import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  evaluateLimits,
  type LimitedUse,
  type LimitMemory,
  nextDueMs,
} from '../../src/limits/evaluate.ts';
import type { Limit } from '../../src/manifest/resolved.ts';

const calm: LimitedUse = {
  nowMs: 0,
  processes: 1,
  memoryBytes: 100,
  cpuPercent: 0,
  runtimeMs: 0,
  output: null,
};

function limit(kind: Limit['kind'], allowed: number, more: Partial<Limit> = {}): Limit {
  return { kind, allowed, windowMs: 0, action: 'warn', ...more };
}

/** What is exceeded in each look, `!` where that is news; the looks are a second apart. */
function watch(
  limits: readonly Limit[] | ((index: number) => readonly Limit[]),
  uses: readonly Partial<LimitedUse>[],
): readonly string[] {
  let before: LimitMemory | null = null;
  return uses.map((use, index) => {
    const nowMs = 5_000 + index * 1_000;
    const all = typeof limits === 'function' ? limits(index) : limits;
    const judged = evaluateLimits(before, all, { ...calm, nowMs, ...use });
    before = judged.memory;
    return judged.exceeded
      .map(({ limit: { kind }, value, fresh }) => `${kind} ${value}${fresh ? '!' : ''}`)
      .join(', ');
  });
}

const procs = (counts: readonly number[]) => counts.map((processes) => ({ processes }));
const cpu = (percents: readonly number[]) => percents.map((cpuPercent) => ({ cpuPercent }));

test.each<[string, readonly Limit[], readonly Partial<LimitedUse>[], readonly string[]]>([
  ['as many as allowed', [limit('processes', 5)], procs([5, 5]), ['', '']],
  [
    'one more, told once',
    [limit('processes', 5)],
    procs([6, 6, 7]),
    ['processes 6!', 'processes 6', 'processes 7'],
  ],
  [
    'up and down around it is one excess',
    [limit('processes', 100)],
    procs([101, 99, 101, 95]),
    ['processes 101!', 'processes 99', 'processes 101', 'processes 95'],
  ],
  [
    'below it, and again',
    [limit('processes', 100)],
    procs([101, 90, 101]),
    ['processes 101!', '', 'processes 101!'],
  ],
  [
    'memory',
    [limit('memory', 100)],
    [{ memoryBytes: 100 }, { memoryBytes: 101 }],
    ['', 'memory 101!'],
  ],
  [
    'a peak of cpu is none over the window',
    [limit('cpu', 100, { windowMs: 3_000 })],
    cpu([0, 0, 250, 0, 0]),
    ['', '', '', '', ''],
  ],
  [
    'cpu over the window, not before that has passed',
    [limit('cpu', 100, { windowMs: 3_000 })],
    cpu([200, 200, 200, 200]),
    ['', '', '', 'cpu 200!'],
  ],
  [
    'what was before the window counts no longer',
    [limit('cpu', 100, { windowMs: 2_000 })],
    cpu([0, 200, 200, 80, 80]),
    ['', '', 'cpu 200!', 'cpu 140', ''],
  ],
  [
    'a run as long as allowed',
    [limit('runtime', 8_000)],
    [{ runtimeMs: 7_999 }, { runtimeMs: 8_000 }, { runtimeMs: 9_000 }],
    ['', 'runtime 8000!', 'runtime 9000'],
  ],
  [
    'nothing for so long',
    [limit('idle', 2_000)],
    [{}, {}, {}, {}],
    ['', '', 'idle 2000!', 'idle 3000'],
  ],
  [
    'output begins anew, and so does cpu',
    [limit('idle', 2_000)],
    [
      {},
      {},
      { output: '12' },
      { output: '12', cpuPercent: 1 },
      { output: '12', cpuPercent: 5 },
      { output: '12' },
    ],
    ['', '', '', '', '', ''],
  ],
  [
    'several at once',
    [limit('processes', 1), limit('memory', 50)],
    [{ processes: 2 }],
    ['processes 2!, memory 100!'],
  ],
  [
    'what was to be ended, and is not, is to be ended again',
    [limit('processes', 5, { action: 'stop' })],
    procs(Array.from({ length: 12 }, () => 9)),
    [
      'processes 9!',
      ...Array.from({ length: 9 }, () => 'processes 9'),
      'processes 9!',
      'processes 9',
    ],
  ],
])('%s', (_what, limits, uses, expected) => {
  expect(watch(limits, uses)).toEqual(expected);
});

test('another limit is another matter', () => {
  const changing = (index: number) => [limit('processes', index < 2 ? 5 : 6)];
  expect(watch(changing, procs([7, 7, 7, 7]))).toEqual([
    'processes 7!',
    'processes 7',
    'processes 7!',
    'processes 7',
  ]);
});

describe('when to look again', () => {
  const limits = [limit('runtime', 10_000), limit('idle', 4_000), limit('processes', 3)];
  const first = { ...calm, nowMs: 1_000, runtimeMs: 500 };
  const { memory: begun } = evaluateLimits(null, limits, first);

  test('at the first limit of time', () => {
    expect(nextDueMs(begun, limits, first)).toBe(4_000);
    expect(nextDueMs(begun, limits, { ...first, nowMs: 4_900, runtimeMs: 9_400 })).toBe(100);
    expect(nextDueMs(begun, [limit('runtime', 10_000)], first)).toBe(9_500);
  });

  test('never for what has no time, or is told', () => {
    expect(nextDueMs(begun, [limit('memory', 1)], first)).toBeNull();
    const late = { ...first, nowMs: 20_000, runtimeMs: 20_000 };
    const { memory: reported } = evaluateLimits(begun, limits, late);
    expect(nextDueMs(reported, limits, late)).toBeNull();
  });
});

test('a warning is news once for each time that the limit was kept before, whatever happens', () => {
  const values = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 60 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 20 }), (counts, allowed) => {
      const told = watch([limit('processes', allowed)], procs(counts));
      let above = false;
      for (const [index, count] of counts.entries()) {
        const isNews = count > allowed && !above;
        above = count > allowed || (above && count > allowed * 0.9);
        const expected = above ? `processes ${count}${isNews ? '!' : ''}` : '';
        if (told[index] !== expected) throw new Error(`${told[index]} is not ${expected}`);
      }
    }),
  );
});

test('the mean of cpu is never more than its highest part, nor less than its lowest', () => {
  const parts = fc.array(
    fc.record({
      percent: fc.integer({ min: 0, max: 800 }),
      forMs: fc.integer({ min: 900, max: 9_000 }),
    }),
    { minLength: 2, maxLength: 40 },
  );
  fc.assert(
    fc.property(parts, (stretches) => {
      const limits = [limit('cpu', 0.001, { windowMs: 5_000 })];
      let before: LimitMemory | null = null;
      let nowMs = 0;
      for (const { percent, forMs } of stretches) {
        nowMs += forMs;
        const { memory: next, exceeded }: ReturnType<typeof evaluateLimits> = evaluateLimits(
          before,
          limits,
          {
            ...calm,
            nowMs,
            cpuPercent: percent,
          },
        );
        before = next;
        const counted = next.cpu.map((one) => one.percent);
        for (const { value } of exceeded) {
          if (value > Math.max(...counted) + 0.05) throw new Error('more than its highest part');
          if (value < Math.min(...counted) - 0.05) throw new Error('less than its lowest part');
        }
        // What is remembered does not grow with the time.
        if (next.cpu.length > 5_000 / 900 + 1) throw new Error('it remembers too much');
      }
    }),
  );
});
