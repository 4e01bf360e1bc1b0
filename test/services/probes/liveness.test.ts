import { expect, test } from 'vitest';
import { watchHealth } from '../../../src/services/probes/liveness.ts';
import type { ProbeAnswer } from '../../../src/services/probes/probe.ts';

const ok: ProbeAnswer = { kind: 'ok' };
const bad: ProbeAnswer = { kind: 'not-yet', reason: 'answered 500' };

/** The calls of the listener while the probe gives these answers, one after the other. */
async function heard(answers: readonly (ProbeAnswer | 'hangs')[], failures: number) {
  const told: string[] = [];
  const over = new AbortController();
  const left = [...answers];
  const attempt = (signal: AbortSignal): Promise<ProbeAnswer> => {
    const answer = left.shift();
    if (answer === undefined) over.abort();
    if (answer !== 'hangs') return Promise.resolve(answer ?? ok);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'cut', reason: 'no answer' }));
    });
  };
  const check = { kind: 'log', pattern: 'x' } as const;
  const timing = { check, timeoutMs: 20, intervalMs: 1, failures };
  await watchHealth({ attemptMs: 60_000, attempt }, timing, over.signal, {
    lost: (reason) => told.push(reason),
    regained: () => told.push('well'),
  });
  return told;
}

test.each<[string, readonly (ProbeAnswer | 'hangs')[], number, readonly string[]]>([
  ['fewer than the threshold', [bad, bad, ok, bad, bad], 3, []],
  [
    'as many failures as the threshold',
    [ok, bad, bad],
    2,
    ['failed 2 times in a row: answered 500'],
  ],
  ['lost health is told once', [bad, bad, bad, bad], 1, ['failed once: answered 500']],
  [
    'lost health is told again after it was regained',
    [bad, ok, ok, bad],
    1,
    ['failed once: answered 500', 'well', 'failed once: answered 500'],
  ],
  ['an attempt without an answer', ['hangs'], 1, ['failed once: no answer']],
])('%s', async (_name, answers, failures, told) => {
  expect(await heard(answers, failures)).toEqual(told);
});

test('it ends at once when it is aborted', async () => {
  const over = new AbortController();
  const check = { kind: 'log', pattern: 'x' } as const;
  const timing = { check, timeoutMs: 60_000, intervalMs: 60_000, failures: 1 };
  const watching = watchHealth(
    { attemptMs: 60_000, attempt: async () => ok },
    timing,
    over.signal,
    {
      lost: () => {},
      regained: () => {},
    },
  );
  over.abort();
  await watching;
});
