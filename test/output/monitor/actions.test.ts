import { describe, expect, test } from 'vitest';
import { outcomeOf } from '../../../src/output/monitor/actions.ts';

const ended = (...by: readonly string[]) => by.map((endedBy) => ({ endedBy }));
const report = (more: object) => ({
  survivors: [],
  processes: ended('SIGTERM', 'SIGTERM'),
  tookMs: 120,
  proof: { strength: 'complete' },
  ports: [],
  ...more,
});
const started = (more: object) => ({
  name: 'web',
  state: 'ready',
  blockedBy: [],
  done: false,
  pid: 12,
  reason: null,
  tookMs: 1_200,
  alreadyRunning: false,
  ...more,
});

describe('the outcome of an action', () => {
  test.each([
    ['stop', report({}), 'web stopped in 120 ms: 2 ended, 0 left (proof complete)'],
    [
      'stop',
      report({ processes: ended('SIGTERM', 'SIGKILL'), proof: { strength: 'best-effort' } }),
      'web stopped in 120 ms: 2 ended (1 killed), 0 left (best effort)',
    ],
    ['stop', report({ processes: [] }), 'web was not running'],
    [
      'restart',
      { stop: report({}), start: { services: [started({})] } },
      'web: 2 ended, 0 left (proof complete); ready after 1.2 s (pid 12)',
    ],
    ['start', { services: [started({ alreadyRunning: true })] }, 'web was running already'],
    ['start', { services: [started({ state: 'exited', done: true })] }, 'web is done'],
  ] as const)('%s: good', (verb, document, text) => {
    const result = { code: 0, document, lastLine: '' };
    expect(outcomeOf({ verb, service: 'web' }, result)).toEqual({ good: true, text });
  });

  test.each([
    ['stop', report({ survivors: [{ pid: 7 }] }), 'web: 1 left (pid 7)'],
    [
      'stop',
      report({ ports: [{ port: 80, free: false }] }),
      'web stopped in 120 ms: 2 ended, 0 left (proof complete), but port 80 is not free',
    ],
    ['restart', { stop: report({ survivors: [{ pid: 7 }] }), start: null }, 'web: 1 left (pid 7)'],
    [
      'start',
      { services: [started({ state: 'failed', reason: 'exit code 1\nmore' })] },
      'web is not up: exit code 1',
    ],
    [
      'start',
      { error: { message: 'port 80 is taken', hint: 'stop that' } },
      'web: port 80 is taken → stop that',
    ],
    ['start', undefined, 'web: devctl start ended with exit code 1: last words'],
  ] as const)('%s: not good', (verb, document, text) => {
    const result = { code: 1, document, lastLine: 'last words' };
    expect(outcomeOf({ verb, service: 'web' }, result)).toEqual({ good: false, text });
  });
});
