import { expect, test } from 'vitest';
import { type UpService, upEnded } from '../../../src/operations/up/verdict.ts';
import type { StateKind } from '../../../src/services/lifecycle/states.ts';

/** Makes services from lines: `tests failed 3`, `web running`, `db failed SIGKILL`, `seed exited 0 task`. */
function services(...lines: readonly string[]): UpService[] {
  return lines.map((line) => {
    const [name = '', kind, how, task] = line.split(' ');
    const code = how !== undefined && /^\d+$/.test(how) ? Number(how) : null;
    const exit = how === undefined ? null : { code, signal: code === null ? how : null };
    return { name, kind: kind as StateKind, exit, oneShot: task === 'task' };
  });
}

const PLAIN = { exitCodeFrom: null, abortOnExit: false };
const ABORT = { ...PLAIN, abortOnExit: true };
const FROM = { ...PLAIN, exitCodeFrom: 'tests' };

test.each([
  ['a service runs', PLAIN, services('tests failed 3', 'web running'), null],
  ['a service is spawned again', PLAIN, services('tests failed 3', 'web spawning'), null],
  ['all services have succeeded', PLAIN, services('a exited 0', 'b exited 0'), 0],
  ['one of all services has failed', PLAIN, services('a exited 0', 'b failed 3'), 1],
  ['another devctl has stopped all services', PLAIN, services('a idle', 'b idle'), 0],
  ['the service that counts has ended', FROM, services('tests failed 3', 'web running'), 3],
  ['that service was killed', FROM, services('tests failed SIGKILL', 'web running'), 137],
  ['that service never came up', FROM, services('tests failed', 'web running'), 1],
  ['that service has succeeded', FROM, services('tests exited 0', 'web running'), 0],
  [
    'a service that does not count has ended',
    FROM,
    services('web failed 3', 'tests running'),
    null,
  ],
  ['the first of several ends', ABORT, services('web failed 3', 'tests exited 0', 'db running'), 3],
  ['a task that is done is no end', ABORT, services('seed exited 0 task', 'web running'), null],
  ['a task that has failed is an end', ABORT, services('seed failed 2 task', 'web running'), 2],
  ['a service that was stopped is no end', ABORT, services('web idle', 'db running'), null],
  [
    'another service ended, so the service that counts has no exit code',
    { ...FROM, abortOnExit: true },
    services('web exited 0', 'tests running'),
    1,
  ],
])('%s', (_name, rules, list, code) => {
  expect(upEnded(list, rules, true)?.code ?? null).toBe(code);
});

test('services do not end an up for good before all are started, unless it aborts', () => {
  expect(upEnded(services('a exited 0'), PLAIN, false)).toBeNull();
  expect(upEnded(services('a failed 3'), ABORT, false)).toEqual({
    why: 'a exited with code 3',
    code: 3,
  });
});
