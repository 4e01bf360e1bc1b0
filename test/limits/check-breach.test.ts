import { expect, test } from 'vitest';
import type { Breach } from '../../src/limits/breach.ts';
import { isBreach } from '../../src/limits/check-breach.ts';
import { toBreach } from '../../src/report/parse-history.ts';

const BREACH: Breach = {
  service: 'web',
  limit: 'memory',
  value: 600,
  allowed: 512,
  action: 'stop',
  measuredAs: 'pss',
  branch: { pid: 812, command: 'vitest', processes: 74, memoryBytes: 500, service: 'web' },
  atMs: 1_000,
};

test.each<[string, Partial<Breach>]>([
  ['of a service', {}],
  ['of the project', { service: null }],
  ['without a branch', { limit: 'cpu', value: 150.5, measuredAs: null, branch: null }],
  ['of what nobody owns', { branch: { ...BREACH.branch, service: null } as Breach['branch'] }],
])('a breach %s', (_name, change) => {
  const breach = { ...BREACH, ...change };
  expect(isBreach(breach)).toBe(true);
  expect(toBreach(breach, 2_000)).toEqual({ ...breach, atMs: 2_000 });
});

test.each<[string, unknown]>([
  ['nothing', null],
  ['a text', 'memory'],
  ['a list', [BREACH]],
  ['another limit', { ...BREACH, limit: 'disk' }],
  ['a name that every object has', { ...BREACH, limit: 'constructor' }],
  ['another action', { ...BREACH, action: 'kill' }],
  ['no service', { ...BREACH, service: undefined }],
  ['a negative value', { ...BREACH, value: -1 }],
  ['an endless value', { ...BREACH, value: Number.POSITIVE_INFINITY }],
  ['no limit', { ...BREACH, allowed: null }],
  ['another measure', { ...BREACH, measuredAs: 'vsz' }],
  ['half a branch', { ...BREACH, branch: { pid: 812 } }],
])('no breach: %s', (_name, value) => {
  expect(isBreach(value)).toBe(false);
  expect(toBreach(value, 2_000)).toBeNull();
});

test('a breach without a time: only the history knows it from elsewhere', () => {
  const { atMs: _, ...rest } = BREACH;
  expect(isBreach(rest)).toBe(false);
  expect(toBreach(rest, 2_000)).toEqual({ ...BREACH, atMs: 2_000 });
});
