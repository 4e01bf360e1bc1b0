import { expect, test } from 'vitest';
import type { HistoryEvent } from '../../src/history/events.ts';
import { usualStartMs } from '../../src/history/usual.ts';
import { changesOf } from '../report/facts.ts';

type Steps = Parameters<typeof changesOf>[1][];

const started = (beganMs: number, tookMs: number): Steps => [
  [beganMs, 'waiting'],
  [beganMs + 1, 'spawning'],
  [beganMs + 2, 'starting'],
  [beganMs + tookMs, 'ready'],
  [beganMs + tookMs + 1, 'idle'],
];

const history = (steps: Readonly<Record<string, Steps>>): readonly HistoryEvent[] =>
  Object.entries(steps)
    .flatMap(([service, of]) => changesOf(service, ...of))
    .map((change) => ({ kind: 'change' as const, ...change }))
    .toSorted((one, other) => one.atMs - other.atMs);

test.each<[name: string, steps: Readonly<Record<string, Steps>>, expected: number | null]>([
  ['nothing was ever started', {}, null],
  ['another service was', { other: started(0, 900) }, null],
  ['one start', { web: started(0, 900) }, 900],
  [
    'the middle of three',
    { web: [...started(0, 900), ...started(5_000, 80), ...started(9_000, 300)] },
    300,
  ],
  ['the slowest service decides', { web: started(0, 900), api: started(0, 2_000) }, 2_000],
  [
    'only the last five count',
    { web: [9, 9, 9, 9, 1, 1, 1, 1, 1].flatMap((s, at) => started(at * 20_000, s * 1_000)) },
    1_000,
  ],
  [
    'what has failed does not count',
    { web: [[0, 'waiting'], [50, 'failed'], ...started(100, 70)] },
    70,
  ],
  [
    'a restart by policy is no start',
    {
      web: [
        ...started(0, 900).slice(0, 4),
        [2_000, 'backoff'],
        [9_000, 'spawning'],
        [9_500, 'ready'],
      ],
    },
    900,
  ],
  [
    'a task',
    {
      web: [
        [0, 'waiting'],
        [10, 'running'],
        [500, 'exited'],
      ],
    },
    10,
  ],
  ['damaged: up without a beginning', { web: [[10, 'ready']] }, null],
])('%s', (_name, steps, expected) => {
  expect(usualStartMs(history(steps), 'api' in steps ? ['web', 'api'] : ['web'])).toBe(expected);
});

test('nothing is usual while one of the services was never started, and the start under way does not count', () => {
  const events = history({ web: [...started(0, 900), ...started(5_000, 80)] });
  expect(usualStartMs(events, ['web', 'api'])).toBe(null);
  expect(usualStartMs(events, ['web'], 5_000)).toBe(900);
  expect(usualStartMs(events, ['web'], 0)).toBe(null);
});
