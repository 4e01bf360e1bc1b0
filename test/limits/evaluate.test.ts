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

/** Lists the exceeded limits of each measurement, one a second; `!`: that is news. */
function exceededEachSecond(
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
    'one more is news once',
    [limit('processes', 5)],
    procs([6, 6, 7]),
    ['processes 6!', 'processes 6', 'processes 7'],
  ],
  [
    'up and down around the limit is one excess',
    [limit('processes', 100)],
    procs([101, 99, 101, 95]),
    ['processes 101!', 'processes 99', 'processes 101', 'processes 95'],
  ],
  [
    'below the limit, and beyond it again',
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
    'a peak of cpu is no excess over the window',
    [limit('cpu', 100, { windowMs: 3_000 })],
    cpu([0, 0, 250, 0, 0]),
    ['', '', '', '', ''],
  ],
  [
    'cpu over the window, once the window has passed',
    [limit('cpu', 100, { windowMs: 3_000 })],
    cpu([200, 200, 200, 200]),
    ['', '', '', 'cpu 200!'],
  ],
  [
    'cpu before the window no longer counts',
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
    'idle for as long as allowed',
    [limit('idle', 2_000)],
    [{}, {}, {}, {}],
    ['', '', 'idle 2000!', 'idle 3000'],
  ],
  [
    'output and cpu begin the idle time anew',
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
    'a limit whose action did not end the service is news again',
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
  expect(exceededEachSecond(limits, uses)).toEqual(expected);
});

test('a changed limit is news again', () => {
  const changing = (index: number) => [limit('processes', index < 2 ? 5 : 6)];
  expect(exceededEachSecond(changing, procs([7, 7, 7, 7]))).toEqual([
    'processes 7!',
    'processes 7',
    'processes 7!',
    'processes 7',
  ]);
});

describe('when the next limit of time is reached', () => {
  const limits = [limit('runtime', 10_000), limit('idle', 4_000), limit('processes', 3)];
  const first = { ...calm, nowMs: 1_000, runtimeMs: 500 };
  const { memory: begun } = evaluateLimits(null, limits, first);

  test('at the first limit of time', () => {
    expect(nextDueMs(begun, limits, first)).toBe(4_000);
    expect(nextDueMs(begun, limits, { ...first, nowMs: 4_900, runtimeMs: 9_400 })).toBe(100);
    expect(nextDueMs(begun, [limit('runtime', 10_000)], first)).toBe(9_500);
  });

  test('never for a limit of another kind, or one that was reported', () => {
    expect(nextDueMs(begun, [limit('memory', 1)], first)).toBeNull();
    const late = { ...first, nowMs: 20_000, runtimeMs: 20_000 };
    const { memory: reported } = evaluateLimits(begun, limits, late);
    expect(nextDueMs(reported, limits, late)).toBeNull();
  });
});

test('a warning is news once for each excess, whatever the values', () => {
  const values = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 60 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 20 }), (counts, allowed) => {
      const told = exceededEachSecond([limit('processes', allowed)], procs(counts));
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
        // The memory does not grow with the time.
        if (next.cpu.length > 5_000 / 900 + 1) throw new Error('it remembers too much');
      }
    }),
  );
});
