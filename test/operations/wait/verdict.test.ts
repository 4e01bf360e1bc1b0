import { expect, test } from 'vitest';
import {
  judgeWait,
  type WaitedEvent,
  type WaitedService,
} from '../../../src/operations/wait/verdict.ts';

const UP: WaitedService = {
  state: 'running',
  reason: null,
  exit: null,
  done: false,
  isTask: false,
  uptimeMs: 5_000,
  settleMs: 1_000,
  wasSeen: true,
  closedPorts: [],
  hasMatched: false,
};
const gone = { uptimeMs: null };
const ok = { ...gone, state: 'exited', exit: { code: 0, signal: null } } as const;
const bad = { ...gone, state: 'failed', exit: { code: 3, signal: null } } as const;
const unknown = { ...gone, state: 'exited', exit: null } as const;
const blocked = { ...gone, state: 'failed', reason: 'waits for db, which failed' } as const;
const stopped = { ...gone, state: 'stopped' } as const;

test.each([
  ['ready', 'a service without a probe that has settled', {}, 'met'],
  ['ready', 'one that has only just begun', { uptimeMs: 900 }, 'open'],
  ['ready', 'a probe that has succeeded', { state: 'ready', uptimeMs: 1 }, 'met'],
  ['ready', 'a probe that has not', { state: 'starting' }, 'open'],
  ['ready', 'what may become well again', { state: 'unhealthy' }, 'open'],
  ['ready', 'what is about to be started again', { ...gone, state: 'backoff' }, 'open'],
  ['ready', 'a task at work', { isTask: true }, 'open'],
  ['ready', 'a task that is done', { ...ok, isTask: true, done: true }, 'met'],
  ['ready', 'nothing yet', { ...stopped, wasSeen: false }, 'open'],
  ['ready', 'what was stopped, because a restart may be at work', stopped, 'open'],
  ['ready', 'a failure', bad, 'failed'],
  ['ready', 'an end with success', ok, 'failed'],
  ['ready', 'what was never started', blocked, 'failed'],
  ['healthy', 'a service that is well', { state: 'ready' }, 'met'],
  ['healthy', 'a service that is not', { state: 'unhealthy' }, 'open'],
  ['exited', 'a service that runs', {}, 'open'],
  ['exited', 'an end with success', ok, 'met'],
  ['exited', 'a failure', bad, 'met'],
  ['exited', 'an end that nobody has seen', unknown, 'met'],
  ['exited', 'a stop', stopped, 'met'],
  ['exited', 'nothing yet', { ...stopped, wasSeen: false }, 'open'],
  ['exited', 'what was never started', blocked, 'failed'],
  ['exited', 'what is about to be started again', { ...gone, state: 'backoff' }, 'open'],
  ['completed', 'an end with success', ok, 'met'],
  ['completed', 'a task that is done', { ...ok, done: true }, 'met'],
  ['completed', 'a failure', bad, 'failed'],
  ['completed', 'an end that nobody has seen', unknown, 'failed'],
  ['completed', 'a stop', stopped, 'failed'],
  ['port', 'every port open', {}, 'met'],
  ['port', 'one closed', { closedPorts: [4000] }, 'open'],
  ['port', 'a failure', { ...bad, closedPorts: [4000] }, 'failed'],
  ['port', 'a task that is done', { ...ok, done: true, closedPorts: [4000] }, 'failed'],
  ['log', 'a match', { hasMatched: true }, 'met'],
  ['log', 'a match of a life that has ended', { ...bad, hasMatched: true }, 'met'],
  ['log', 'no match yet', {}, 'open'],
  ['log', 'no match of a life that has ended', ok, 'failed'],
] as const)('for %s: %s is %s', (event, _name, changes, expected) => {
  const service = { ...UP, ...(changes as Partial<WaitedService>) };
  expect(judgeWait(event as WaitedEvent, service).kind).toBe(expected);
});

test('the words say what is missing, or how it ended', () => {
  const say = (event: WaitedEvent, changes: Partial<WaitedService>) =>
    judgeWait(event, { ...UP, ...changes }).what;
  expect(say('ready', { state: 'unhealthy', reason: 'refused' })).toBe(
    'is not ready (unhealthy: refused)',
  );
  expect(say('ready', bad)).toBe('exited with code 3');
  expect(say('ready', blocked)).toBe('waits for db, which failed');
  expect(say('port', { closedPorts: [1, 2] })).toBe('does not listen on 1, 2 (running)');
});
