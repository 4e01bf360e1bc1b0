import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateLeases, type LeaseMoment, withLease } from '../../src/leases/evaluate.ts';
import type { Lease } from '../../src/leases/file.ts';
import type { Identity } from '../../src/processes/identity.ts';

const HOUR = 360_000;

function identity(pid: number, more: Partial<Identity> = {}): Identity {
  return { pid, startTicks: pid * 10, bootId: 'boot', pidNamespace: 'ns', ...more };
}

function lease(endsAtTicks: number | null, ...pids: readonly (number | Identity)[]): Lease {
  const processes = pids.map((one) => ({
    identity: typeof one === 'number' ? identity(one) : one,
    command: 'agent',
  }));
  return { endsAtTicks, ttlMs: endsAtTicks === null ? null : 7_200_000, processes };
}

function at(nowTicks: number, ...alive: readonly number[]): LeaseMoment {
  return {
    nowTicks,
    bootId: 'boot',
    pidNamespace: 'ns',
    isAlive: ({ pid, startTicks }) => alive.includes(pid) && startTicks === pid * 10,
  };
}

function judge(leases: readonly Lease[], moment: LeaseMoment, bootId = 'boot') {
  return evaluateLeases({ schema: 1, project: '/p', bootId, manifest: '/p/m', leases }, moment);
}

test.each([
  ['time left', [lease(2 * HOUR)], at(HOUR), 'lasts'],
  ['its last tick', [lease(2 * HOUR)], at(2 * HOUR - 1), 'lasts'],
  ['time over', [lease(2 * HOUR)], at(2 * HOUR), '--ttl 2h is over'],
  ['the process lives', [lease(null, 7)], at(0, 7), 'lasts'],
  ['the process has ended', [lease(null, 7)], at(0), '--while-pid 7 (agent) has ended'],
  [
    'a stranger has the number of the process',
    [lease(null, identity(7, { startTicks: 1 }))],
    at(0, 7),
    '--while-pid 7 (agent) has ended',
  ],
  ['one of two processes lives', [lease(null, 7, 8)], at(0, 8), 'lasts'],
  [
    'both processes have ended',
    [lease(null, 7, 8)],
    at(0),
    '--while-pid 7 (agent) and --while-pid 8 (agent) have ended',
  ],
  ['the time ends first', [lease(HOUR, 7)], at(HOUR, 7), '--ttl 2h is over'],
  ['the process ends first', [lease(HOUR, 7)], at(0), '--while-pid 7 (agent) has ended'],
  ['one of two leases lasts', [lease(HOUR), lease(null, 7)], at(HOUR, 7), 'lasts'],
  [
    'both leases are over',
    [lease(HOUR), lease(null, 7)],
    at(HOUR),
    '--ttl 2h is over; --while-pid 7 (agent) has ended',
  ],
  [
    'a process of another container',
    [lease(null, identity(7, { pidNamespace: 'other' }))],
    at(0),
    'lasts',
  ],
  ['no lease', [], at(0), 'none'],
] as const)('%s: %s', (_name, leases, moment, expected) => {
  const verdict = judge(leases, moment);
  expect(verdict.kind === 'ended' ? verdict.why : verdict.kind).toBe(
    verdict.kind === 'ended' ? `the lease ended: ${expected}` : expected,
  );
});

test('the leases of an earlier boot have ended with it', () => {
  expect(judge([lease(HOUR)], at(2 * HOUR), 'earlier')).toEqual({ kind: 'none' });
});

test('a standing lease has the time that is left and the processes that live', () => {
  const verdict = judge([lease(HOUR, 7, 8)], at(HOUR - 100, 8));
  expect(verdict).toMatchObject({
    kind: 'lasts',
    leases: [{ endsInMs: 1_000, processes: [{ identity: { pid: 8 } }] }],
  });
});

test.each([
  ['the first', [], lease(HOUR), [lease(HOUR)]],
  ['renewed for longer', [lease(HOUR)], lease(2 * HOUR), [lease(2 * HOUR)]],
  [
    'renewed for a shorter time: the later end counts',
    [lease(2 * HOUR)],
    lease(HOUR),
    [lease(2 * HOUR)],
  ],
  [
    'a lease with a time and one with a process stand side by side',
    [lease(HOUR)],
    lease(null, 7),
    [lease(HOUR), lease(null, 7)],
  ],
  [
    'the same processes in another order',
    [lease(HOUR, 7, 8)],
    lease(2 * HOUR, 8, 7),
    [lease(2 * HOUR, 8, 7)],
  ],
  ['a lease that is over is dropped', [lease(null, 9)], lease(HOUR), [lease(HOUR)]],
] as const)('another lease: %s', (_name, before, added, after) => {
  expect(withLease(before, added, at(0, 7, 8))).toEqual(after);
});

const anyLease = fc
  .record({
    endsAtTicks: fc.option(fc.nat(20)),
    pids: fc.uniqueArray(fc.integer({ min: 2, max: 5 }), { maxLength: 3 }),
  })
  .filter(({ endsAtTicks, pids }) => endsAtTicks !== null || pids.length > 0)
  .map(({ endsAtTicks, pids }) => lease(endsAtTicks, ...pids));

test('a new lease never cuts another one short', () => {
  fc.assert(
    fc.property(
      fc.array(anyLease, { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 2, max: 5 })),
      fc.nat(25),
      (asked, alive, later) => {
        const all = [2, 3, 4, 5];
        const leases = asked.reduce<readonly Lease[]>(
          (some, one) => withLease(some, one, at(0, ...all)),
          [],
        );
        const moment = at(later, ...alive);
        // A lease that is over when it is asked for does not count.
        const standing = asked.filter(({ endsAtTicks }) => endsAtTicks === null || endsAtTicks > 0);
        const isNeeded = standing.some((one) => judge([one], moment).kind === 'lasts');
        if (isNeeded) expect(judge(leases, moment).kind).toBe('lasts');
        else expect(judge(leases, moment).kind).not.toBe('lasts');
      },
    ),
  );
});
