import { expect, test } from 'vitest';
import type { RestartPolicy } from '../../../src/manifest/resolved.ts';
import { decideRestart, NO_RESTARTS } from '../../../src/services/lifecycle/restart-policy.ts';

const policy: RestartPolicy = {
  policy: 'on-failure',
  maxRestarts: 3,
  windowMs: 60_000,
  backoffMs: 500,
  maxBackoffMs: 1_500,
  resetAfterMs: 10_000,
  successExitCodes: [0],
};
const crash = { failed: true, wellMs: null };

test.each([
  ['no', true, 'no-restart'],
  ['no', false, 'no-restart'],
  ['on-failure', true, 'restart'],
  ['on-failure', false, 'no-restart'],
  ['always', true, 'restart'],
  ['always', false, 'restart'],
] as const)('"%s", failed %s: %s', (name, failed, kind) => {
  const end = { failed, wellMs: 0 };
  const decision = decideRestart({ ...policy, policy: name }, NO_RESTARTS, end, 0, 0);
  expect(decision.kind).toBe(kind);
  // No note: the policy wants no restart, so none was given up.
  if (decision.kind === 'no-restart') expect(decision.note).toBeNull();
});

test.each([
  // Restarts in a row, time it was well before it ended, chance → the pause.
  [0, 0, 0, 500],
  [0, 0, 1, 375],
  [1, 0, 0, 1_000],
  [1, 0, 0.5, 875],
  [2, 0, 0, 1_500],
  [60, 0, 0, 1_500],
  [2, 9_999, 0, 1_500],
  [2, 10_000, 0, 500],
])(
  'after %i in a row, well for %i ms, chance %f: a pause of %i ms',
  (streak, wellMs, random, pauseMs) => {
    const history = { total: streak, timesMs: [], streak };
    const decision = decideRestart(policy, history, { failed: true, wellMs }, 0, random);
    expect(decision).toMatchObject({ kind: 'restart', pauseMs });
  },
);

test('a pause of 0 stays 0, however often the service is started again', () => {
  const history = { total: 5_000, timesMs: [], streak: 5_000 };
  const decision = decideRestart({ ...policy, backoffMs: 0 }, history, crash, 0, 0);
  expect(decision).toMatchObject({ kind: 'restart', pauseMs: 0 });
});

test.each([
  ['three within the window', [10, 20, 30], 60_009, 'no-restart'],
  ['three, one of them before the window', [10, 20, 30], 60_010, 'restart'],
  ['two within the window', [10, 20], 100, 'restart'],
])('%s', (_name, timesMs, nowMs, kind) => {
  const history = { total: 7, timesMs, streak: 3 };
  // A long time of being well shortens the pause, but does not reset the maximum.
  const end = { failed: true, wellMs: 1_000_000 };
  expect(decideRestart(policy, history, end, nowMs, 0).kind).toBe(kind);
});

test('restarts within the window are remembered, older ones are not', () => {
  const history = { total: 7, timesMs: [10, 50_000], streak: 3 };
  expect(decideRestart(policy, history, crash, 60_010, 0)).toEqual({
    kind: 'restart',
    pauseMs: 1_500,
    history: { total: 8, timesMs: [50_000, 60_010], streak: 4 },
    note: 'restart 8 after a pause of 1.5 s',
  });
});

test('a maximum of 0 never starts anything again, and says so', () => {
  const none = { ...policy, maxRestarts: 0, windowMs: 90_000 };
  expect(decideRestart(none, NO_RESTARTS, crash, 0, 0)).toEqual({
    kind: 'no-restart',
    note: 'given up after 0 restarts within 90 s',
  });
});
