import { expect, test } from 'vitest';
import { serviceCookie } from '../../src/ownership/cookie.ts';
import { projectFolder } from '../../src/project/folder.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { findEnclosingRun } from '../../src/tracking/enclosing-run.ts';
import { marksOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const folder = projectFolder('/home/me/app', '/home/me/app/.pids');
const [RUN, COMMAND, SELF] = [10, 20, 30];
const oneOff = {
  service: 'job',
  runId: 'aa11',
  leader: identity(COMMAND),
  supervisor: identity(RUN),
  oneOff: { terminal: false },
} as ServiceRecord;
const env = serviceCookie(marksOf(folder.mark), 'job', 'aa11');
const run: Row = { pid: RUN };
const command: Row = { pid: COMMAND, ppid: RUN };
const orphan: Row = { pid: COMMAND, ppid: 1 };
const inside: Row = { pid: SELF, ppid: COMMAND };
const beside: Row = { pid: SELF, ppid: 1 };

test.each<[string, readonly Row[], Readonly<Record<string, string>>, readonly string[]]>([
  ['below it', [run, command, inside], {}, ['job']],
  ['with its mark', [run, command, beside], env, ['job']],
  ['beside it', [run, command, beside], {}, []],
  ['below it, when its devctl run is dead', [orphan, inside], env, []],
  ['with its mark, when its devctl run is dead', [orphan, beside], env, []],
  [
    'with its mark, when another process has the number of its devctl run',
    [{ pid: RUN, ticks: 5_000 }, orphan, beside],
    env,
    [],
  ],
])('a command %s', (_where, rows, environment, expected) => {
  const state = { folder, records: [oneOff] };
  const found = findEnclosingRun(state, snapshotOf(rows), identity(SELF), environment);
  expect(found.oneOffs.map(({ service }) => service)).toEqual(expected);
  expect(found.service).toBe(null);
});

test('a one-off of another PID namespace may live', () => {
  const record = { ...oneOff, supervisor: { ...identity(RUN), pidNamespace: 'pid:[2]' } };
  const state = { folder, records: [record] };
  const found = findEnclosingRun(state, snapshotOf([beside]), identity(SELF), env);
  expect(found.oneOffs).toEqual([record]);
});
