import { expect, test } from 'vitest';
import type { OwnershipFacts, Run } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie } from '../../src/ownership/cookie.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const OURS = serviceCookie(marksOf('app'), 'run-npm', 'aa11');
const HOST: Row = {
  pid: 50,
  ppid: 20,
  pgid: 50,
  sid: 20,
  argv: ['node', '/x/bin/devctl.js', 'run', '--', 'npm', 'test'],
};
/** A one-off on a terminal: in the session of the shell and the group of its parent. */
const LEADER: Row = { pid: 100, ppid: 50, pgid: 50, sid: 20, environ: OURS };
const SHELL: Row = { pid: 20, name: 'bash' };
const PAGER: Row = { pid: 60, ppid: 20, pgid: 50, sid: 20 };
/** A daemon that left its session and its parent, and was adopted by the one-off parent. */
const DAEMON: Row = { pid: 200, ppid: 50, pgid: 199, sid: 199, environ: {} };
const run: Run = {
  service: 'run-npm',
  runId: 'aa11',
  bootId: 'boot-1',
  pidNamespace: 'pid:[1]',
  intentTicks: 90,
  leader: identity(100),
  supervisor: identity(50),
  subreaper: true,
  oneOff: { terminal: true },
};

function claims(
  rows: readonly Row[],
  over: Partial<Run> = {},
  facts: Partial<OwnershipFacts> = {},
) {
  const { claims: found } = claimProcesses(
    {
      project: projectOf('app'),
      root: '/home/me/app',
      self: identity(21),
      supervisor: null,
      runs: [{ ...run, ...over }],
      witnessed: [],
      legacyPids: [],
      ...facts,
    },
    snapshotOf(rows),
  );
  return [...found.values()]
    .map(({ process, service }) => `${process.identity.pid} ${service}`)
    .sort();
}

const all = [SHELL, HOST, LEADER, PAGER, DAEMON];
const both = ['100 run-npm', '200 run-npm'];

test('the descendants of a one-off parent belong to the run; the parent, the shell and a pipe do not', () => {
  expect(claims(all)).toEqual(both);
  expect(claims(all, {}, { self: identity(50) })).toEqual(both);
});

test('a child that the parent had before the run is a stranger', () => {
  expect(claims([...all, { pid: 70, ppid: 50, ticks: 80 }])).toEqual(both);
});

test('without a subreaper only processes with our cookie are claimed', () => {
  expect(claims(all, { subreaper: false })).toEqual(['100 run-npm']);
});

test('a record that names a shell as parent or leader claims nothing', () => {
  const stranger: Row = { pid: 71, ppid: 20, pgid: 71, sid: 20 };
  expect(claims([SHELL, stranger], { supervisor: identity(20), leader: identity(71) })).toEqual([]);
});

test('on a terminal no session and no group is claimed for the number of its leader', () => {
  const later: Row = { pid: 300, ppid: 1, pgid: 100, sid: 100, cwd: '/home/me/app', environ: {} };
  expect(claims([SHELL, later])).toEqual([]);
  expect(claims([SHELL, later], { oneOff: { terminal: false } })).toEqual(['300 run-npm']);
});

test('processes of an exempt run are neither claimed nor spared', () => {
  const exemptRuns = ['aa11'];
  expect(claims(all, {}, { exemptRuns })).toEqual([]);
  // The same when a process of it listens on the port of a service.
  const server: Row = { pid: 210, ppid: 100, environ: OURS, cwd: '/home/me/app' };
  const traces = {
    logs: new Map(),
    logsFolder: '/home/me/app/.pids/logs',
    stdinFolder: '/home/me/app/.pids/stdin',
    listening: [{ pid: 210, port: 3000, service: 'web' }],
    forced: false,
  };
  const facts = { openFiles: traces, runs: [] };
  expect(claims([...all, server], {}, { ...facts, exemptRuns })).toEqual([]);
  const stranger: Row = { ...server, environ: {} };
  expect(claims([...all, stranger], {}, { ...facts, exemptRuns })).toEqual(['210 web']);
});
