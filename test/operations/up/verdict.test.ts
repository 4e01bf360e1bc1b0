import { expect, test } from 'vitest';
import { type UpService, upEnded } from '../../../src/operations/up/verdict.ts';
import type { StateKind } from '../../../src/services/lifecycle/states.ts';

const number = (signal: string) => (signal === 'SIGKILL' ? 9 : 0);

/** `tests failed 3`, `web running`, `db failed SIGKILL`, `seed exited 0 task`. */
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
  ['something runs', PLAIN, services('tests failed 3', 'web running'), null],
  ['something comes up again', PLAIN, services('tests failed 3', 'web spawning'), null],
  ['all have ended well', PLAIN, services('a exited 0', 'b exited 0'), 0],
  ['one of all has failed', PLAIN, services('a exited 0', 'b failed 3'), 1],
  ['all were stopped from elsewhere', PLAIN, services('a idle', 'b idle'), 0],
  ['the one that counts has ended', FROM, services('tests failed 3', 'web running'), 3],
  ['it was killed', FROM, services('tests failed SIGKILL', 'web running'), 137],
  ['it never came up', FROM, services('tests failed', 'web running'), 1],
  ['it has ended well', FROM, services('tests exited 0', 'web running'), 0],
  ['another one has ended', FROM, services('web failed 3', 'tests running'), null],
  ['the first to end', ABORT, services('web failed 3', 'tests exited 0', 'db running'), 3],
  ['a task that is done is no end', ABORT, services('seed exited 0 task', 'web running'), null],
  ['one that has failed is', ABORT, services('seed failed 2 task', 'web running'), 2],
  ['what somebody stopped is no end', ABORT, services('web idle', 'db running'), null],
  [
    'another one ended, so the one that counts could not say anything',
    { ...FROM, abortOnExit: true },
    services('web exited 0', 'tests running'),
    1,
  ],
])('%s', (_name, rules, list, code) => {
  expect(upEnded(list, rules, true, number)?.code ?? null).toBe(code);
});

test('nothing has ended for good before everything was started', () => {
  expect(upEnded(services('a exited 0'), PLAIN, false, number)).toBeNull();
  expect(upEnded(services('a failed 3'), ABORT, false, number)).toEqual({
    why: 'a exited with code 3',
    code: 3,
  });
});
