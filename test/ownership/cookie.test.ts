import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  COOKIE_VARIABLES,
  guardCookie,
  inheritedEnvironment,
  readCookie,
  serviceCookie,
  supervisorCookie,
} from '../../src/ownership/cookie.ts';
import { marksOf } from '../support/marks.ts';
import { environBlock } from '../support/process-table.ts';

const block = (environ: Readonly<Record<string, string>>) => environBlock(environ) ?? '';

test('a cookie that was written is read', () => {
  expect(readCookie(block(serviceCookie(marksOf('app'), 'web', 'aa11')))).toEqual({
    projects: ['app'],
    projectId: null,
    service: 'web',
    runId: 'aa11',
    role: null,
  });
  expect(readCookie(block(supervisorCookie(marksOf('app'))))?.role).toBe('supervisor');
  expect(readCookie(block(guardCookie(marksOf('app'))))?.role).toBe('guard');
});

test('COOKIE_VARIABLES lists every variable of both cookies', () => {
  const written = {
    ...serviceCookie(marksOf('app'), 'web', 'aa11'),
    ...guardCookie(marksOf('app')),
  };
  expect(COOKIE_VARIABLES).toEqual(expect.arrayContaining(Object.keys(written)));
});

test.each([
  ['nothing', ''],
  ['the end of another name', 'MY_DEVCTL_PROJECT=app\0'],
  ['inside a value', 'A=DEVCTL_PROJECT=app\0'],
  ['without its NUL', 'DEVCTL_PROJECT=app'],
  ['empty', 'DEVCTL_PROJECT=\0TURBO_DEVCTL_PROJECT=\0'],
  ['a run alone', 'DEVCTL_RUN=aa11\0'],
])('no cookie: %s', (_name, environ) => {
  expect(readCookie(environ)).toBe(null);
});

test.each([
  ['the carrier alone', 'TURBO_DEVCTL_PROJECT=app\0TURBO_DEVCTL_RUN=r\0', ['app'], 'r'],
  ['the carrier first', 'TURBO_DEVCTL_PROJECT=app\0DEVCTL_PROJECT=app\0', ['app'], null],
  ['the two disagree', 'TURBO_DEVCTL_PROJECT=b\0DEVCTL_PROJECT=a\0', ['a', 'b'], null],
  ['after a look-alike', 'X_DEVCTL_PROJECT=b\0DEVCTL_PROJECT=a\0', ['a'], null],
])('%s', (_name, environ, projects, runId) => {
  expect(readCookie(environ)).toMatchObject({ projects, runId });
});

test('no other variable changes the cookie that is read', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !/[=\0]|^(TURBO_)?DEVCTL_/.test(text));
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('DEVCTL_PROJECT=x', 'TURBO_DEVCTL_PROJECT=x'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), fc.nat(), (others, at) => {
      const entries = others.map(([key, text]) => `${key}=${text.replaceAll('\0', '')}\0`);
      const ours = block(serviceCookie(marksOf('app'), 'web', 'aa11'));
      entries.splice(at % (entries.length + 1), 0, ours);
      expect(readCookie(entries.join(''))?.projects).toEqual(['app']);
    }),
  );
});

test('variables that speak of the caller alone reach no service', () => {
  const callers = {
    NOTIFY_SOCKET: '/run/systemd/notify',
    LISTEN_FDS: '1',
    LISTEN_PID: '42',
    LISTEN_FDNAMES: 'web',
    WATCHDOG_PID: '42',
    WATCHDOG_USEC: '1000000',
    DEVCTL_PROTECT: '1',
  };
  expect(inheritedEnvironment({ ...callers, PATH: '/bin' })).toEqual({ PATH: '/bin' });
});
