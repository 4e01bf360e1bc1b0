import fc from 'fast-check';
import { expect, test } from 'vitest';
import { terminalMessage, whyNoDesktop } from '../../../src/services/hooks/desktop.ts';
import { eventVariables, type HookEvent, hookNamesOf } from '../../../src/services/hooks/events.ts';
import { NO_RESTARTS } from '../../../src/services/lifecycle/restart-policy.ts';
import type {
  LifecycleState,
  StateKind,
  StatePlace,
} from '../../../src/services/lifecycle/states.ts';
import { type FakeProcess, identityOf } from '../../support/fake-process.ts';

const leader = identityOf({ pid: 7, startTicks: 1 } as FakeProcess);
const exit = { code: 3, signal: null };
const reason = 'exited with code 3';
const inState = (place: StatePlace): LifecycleState => ({
  run: 1,
  sinceMs: 0,
  restarts: NO_RESTARTS,
  ...place,
});

test.each<[StateKind, StatePlace, string[]]>([
  ['starting', { kind: 'ready', leader }, ['ready']],
  ['unhealthy', { kind: 'ready', leader }, ['ready']],
  ['ready', { kind: 'unhealthy', leader, reason, was: 'ready' }, ['unhealthy']],
  // Only the reason has changed.
  ['unhealthy', { kind: 'unhealthy', leader, reason, was: 'ready' }, []],
  ['spawning', { kind: 'running', leader }, []],
  ['running', { kind: 'exited', exit, reason, done: false }, ['exited']],
  ['starting', { kind: 'failed', exit, reason }, ['exited', 'failed']],
  ['ready', { kind: 'backoff', exit, reason }, ['exited']],
  ['ready', { kind: 'clearing', leader: null, exit, reason, dueMs: 0, wanted: false }, ['exited']],
  // devctl ends it, because it is not well.
  ['unhealthy', { kind: 'clearing', leader, exit: null, reason, dueMs: 0, wanted: false }, []],
  [
    'ready',
    { kind: 'clearing', leader, exit: null, reason, dueMs: 0, wanted: false },
    ['unhealthy'],
  ],
  ['clearing', { kind: 'backoff', exit, reason }, []],
  ['backoff', { kind: 'failed', exit, reason }, ['failed']],
  ['spawning', { kind: 'failed', exit: null, reason }, ['failed']],
  ['waiting', { kind: 'failed', exit: null, reason, blockedBy: ['db'] }, []],
  ['ready', { kind: 'stopping', leader: null, exit, reason: null }, []],
  // It was stopped because of a limit.
  ['stopping', { kind: 'failed', exit, reason }, ['failed']],
  ['stopping', { kind: 'idle' }, []],
])('from %s to %j: %j', (from, place, names) => {
  expect(hookNamesOf(from, inState(place))).toEqual(names);
});

const event: HookEvent = { name: 'failed', service: 'web', reason, exit, atMs: 0 };

test('the variables of an event', () => {
  expect(eventVariables(event, 2)).toEqual({
    DEVCTL_EVENT_NAME: 'failed',
    DEVCTL_EVENT_SERVICE: 'web',
    DEVCTL_EVENT_REASON: reason,
    DEVCTL_EVENT_EXIT: '3',
    DEVCTL_EVENT_COUNT: '2',
    DEVCTL_EVENT_AT: '1970-01-01T00:00:00.000Z',
  });
});

test('whatever the reason, variables and messages are short, on one line, and hold no control characters', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6_000 }),
    fc.constantFrom(
      '\x1b]0;title\x07',
      '\x1b[31mred\x1b[0m',
      'a\nb\0c',
      '$(touch x)',
      'é'.repeat(3_000),
    ),
  );
  fc.assert(
    fc.property(anyText, anyText, (text, project) => {
      const odd = { ...event, reason: text };
      const values = Object.values(eventVariables(odd, 1));
      for (const value of values) expect(value).not.toMatch(/\p{Cc}/u);
      expect(Buffer.byteLength(values.join(''))).toBeLessThan(4_096);
      const inner = terminalMessage(odd, project);
      // Four control characters begin and end the two sequences, and there are no others.
      expect(inner.match(/\p{Cc}/gu)).toEqual(['\x1b', '\x07', '\x1b', '\x07']);
      expect(inner.split('\x1b]777;')[1]?.split(';')).toHaveLength(3);
    }),
  );
});

test('no message can be shown without a session bus, or without notify-send', () => {
  expect(whyNoDesktop({ PATH: process.env.PATH })).toMatch(/no session bus/);
  expect(whyNoDesktop({ PATH: '/nowhere', XDG_RUNTIME_DIR: '/run/user/1' })).toMatch(/notify-send/);
});
