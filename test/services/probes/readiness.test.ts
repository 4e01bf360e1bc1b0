import { expect, test } from 'vitest';
import { openLogSource } from '../../../src/logs/source.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { openProbe } from '../../../src/services/probes/open.ts';
import type { Probe, ProbeAnswer } from '../../../src/services/probes/probe.ts';
import { waitUntilReady } from '../../../src/services/probes/readiness.ts';

const never = () => new AbortController().signal;
const quick = { timeoutMs: 10_000, intervalMs: 1 };
const no = (reason: string): ProbeAnswer => ({ kind: 'not-yet', reason });

/** A probe that gives these answers in turn, and the last one for ever. */
function scripted(...answers: readonly ProbeAnswer[]): Probe & { attempts: number } {
  const probe = {
    attemptMs: 1_000,
    attempts: 0,
    attempt: async () => answers[Math.min(probe.attempts++, answers.length - 1)] ?? no('none'),
  };
  return probe;
}

/** A probe that answers only when it is cut off. */
const silent: Probe = {
  attemptMs: 1,
  attempt: (signal) =>
    new Promise((resolve) =>
      signal.addEventListener('abort', () => resolve({ kind: 'cut', reason: 'no answer' })),
    ),
};

test('asks until it is ready', async () => {
  const probe = scripted(no('a'), no('b'), { kind: 'ok' });
  const result = await waitUntilReady(probe, quick, never());
  expect(result).toEqual({ kind: 'ready', tookMs: expect.any(Number) });
  expect(probe.attempts).toBe(3);
});

test('says why when the time is up', async () => {
  const probe = scripted(no('connection refused'), no('answered 503'));
  expect(await waitUntilReady(probe, { timeoutMs: 30, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'answered 503',
  });
});

test('asks once even when there is no time at all', async () => {
  const probe = scripted(no('answered 503'));
  expect(await waitUntilReady(probe, { timeoutMs: 0, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'answered 503',
  });
});

test('the first answer may take longer than later ones', async () => {
  const answers: ProbeAnswer[] = [{ kind: 'not-yet', reason: 'answered 503', answered: true }];
  const slow: Probe = {
    attemptMs: 1,
    attempt: (signal) =>
      new Promise((resolve) => {
        setTimeout(() => resolve(answers.shift() ?? { kind: 'ok' }), 20);
        signal.addEventListener('abort', () => resolve({ kind: 'cut', reason: 'too slow' }));
      }),
  };
  // The first answer came after 20 ms. From then on each attempt has 1 ms.
  expect(await waitUntilReady(slow, { timeoutMs: 100, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'too slow',
  });
  expect(answers).toEqual([]);
});

test('an attempt that hangs is cut off, and asked again', async () => {
  const timing = { timeoutMs: 20, intervalMs: 1, attemptTimeoutMs: 1 };
  expect(await waitUntilReady(silent, timing, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'no answer',
  });
});

test('a last attempt that was cut short does not hide the reason before it', async () => {
  let asked = 0;
  const probe: Probe = {
    attemptMs: 10_000,
    attempt: (signal) => (asked++ === 0 ? Promise.resolve(no('503')) : silent.attempt(signal)),
  };
  expect(await waitUntilReady(probe, { timeoutMs: 30, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: '503',
  });
});

test('ends at once when the process died: in an attempt, in a pause, before it began', async () => {
  const during = new AbortController();
  const waiting = waitUntilReady({ ...silent, attemptMs: 60_000 }, quick, during.signal);
  during.abort();
  expect(await waiting).toEqual({ kind: 'aborted' });

  const between = new AbortController();
  const probe: Probe = {
    attemptMs: 1_000,
    attempt: async () => {
      setImmediate(() => between.abort());
      return no('not yet');
    },
  };
  const pausing = { timeoutMs: 60_000, intervalMs: 60_000 };
  expect(await waitUntilReady(probe, pausing, between.signal)).toEqual({ kind: 'aborted' });

  const untouched = scripted({ kind: 'ok' });
  expect(await waitUntilReady(untouched, quick, AbortSignal.abort())).toEqual({ kind: 'aborted' });
  expect(untouched.attempts).toBe(0);
});

test('a probe that throws has not succeeded', async () => {
  const probe: Probe = { attemptMs: 1_000, attempt: () => Promise.reject(new Error('broken')) };
  expect(await waitUntilReady(probe, { timeoutMs: 5, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'broken',
  });
});

const log = openLogSource(projectFolder('/nowhere'), 'web', '/nowhere/web.log');
const sockets = {
  whyNotListening: async () => 'port 1 is not listened on',
  whyForeign: async () => null,
};
const context = { cwd: '/', env: {}, log, logFrom: 0, spawnedAtMs: 0, sockets };

test('a delay probe succeeds after its delay', async () => {
  const probe = await openProbe({ kind: 'delay', delayMs: 5 }, context);
  expect(await waitUntilReady(probe, quick, never())).toMatchObject({ kind: 'ready' });
  expect(await waitUntilReady(probe, quick, AbortSignal.abort())).toEqual({ kind: 'aborted' });
});

test('a delay longer than the timeout times out', async () => {
  const probe = await openProbe({ kind: 'delay', delayMs: 60_000 }, context);
  expect(await waitUntilReady(probe, { timeoutMs: 5, intervalMs: 1 }, never())).toEqual({
    kind: 'timed-out',
    lastReason: 'its delay of 1 min is not over',
  });
});

test.each([
  {
    kind: 'http',
    url: 'http://127.0.0.1:1/',
    status: [],
    body: null,
    method: 'GET',
    headers: {},
    socketPath: null,
    owner: 'service',
  },
  { kind: 'tcp', target: { kind: 'socket', path: '/nowhere' }, owner: 'service' },
  { kind: 'ports', ports: [1] },
  { kind: 'file', path: '/nowhere/file' },
  { kind: 'log', pattern: 'ready' },
  { kind: 'exec', command: 'exit 1' },
] as const)('every kind of check has its probe: $kind', async (check) => {
  const probe = await openProbe(check, context);
  const answer = await probe.attempt(never());
  expect(answer).toMatchObject({ kind: 'not-yet' });
});
