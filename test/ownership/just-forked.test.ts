import { expect, test } from 'vitest';
import type { Claim } from '../../src/ownership/claim.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { claimInScan } from '../../src/ownership/just-forked.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, processOf, type Row, snapshotOf } from '../support/process-table.ts';

const OURS = serviceCookie(marksOf('app'), 'web', 'aa11');
const SUPERVISOR: Row = { pid: 95 };
const PARENT: Row = { pid: 100 };
const STRANGER: Row = { pid: 150 };
const SELF: Row = { pid: 120, sid: 100 };
const KNOWN = [SUPERVISOR, PARENT, STRANGER, SELF];

function judge(
  row: Row,
  self = 120,
  adopts = true,
  exemptRuns: readonly string[] = [],
): Claim | null {
  const parent = processOf(PARENT);
  const recent = {
    project: projectOf('app'),
    exemptRuns,
    self: identity(self),
    snapshot: snapshotOf(KNOWN),
    claims: new Map([[100, { process: parent, service: 'web', runId: 'aa11', evidence: [] }]]),
    supervisors: [processOf(SUPERVISOR)],
    adopters: adopts ? [processOf(SUPERVISOR)] : [],
  };
  return claimInScan(recent, processOf(row), snapshotOf([row]).details);
}

test.each<[name: string, row: Row, ours: boolean, self?: number]>([
  ['claimed by the last scan', PARENT, true],
  ['seen and not claimed by the last scan', STRANGER, false],
  ['seen and not claimed, though it now carries our cookie', { ...STRANGER, environ: OURS }, false],
  ['another process with the number of a claimed one', { pid: 100, ticks: 900 }, false],
  ['a child of ours with the number of a stranger', { pid: 150, ticks: 900, ppid: 100 }, true],
  ['a just-forked stranger', { pid: 400 }, false],
  ['a child', { pid: 400, ppid: 100 }, true],
  ['an orphan in the session', { pid: 400, sid: 100 }, true],
  ['an orphan in the group', { pid: 400, pgid: 100, sid: 7 }, true],
  ['no relative left, but our cookie', { pid: 400, environ: OURS }, true],
  ['an orphan that our subreaper adopted', { pid: 400, ppid: 95 }, true],
  [
    "a child with another project's cookie",
    {
      pid: 400,
      ppid: 100,
      environ: serviceCookie(marksOf('other'), 'web', 'b'),
    },
    false,
  ],
  [
    'a child of the supervisor before its exec',
    {
      pid: 400,
      ppid: 95,
      environ: supervisorCookie(marksOf('app')),
    },
    false,
  ],
  ['older than its parent', { pid: 400, ticks: 50, ppid: 100 }, false],
  [
    'a stop command of ours, in our own session',
    {
      pid: 400,
      ppid: 120,
      sid: 100,
      environ: OURS,
    },
    false,
  ],
  ['a stop command of a supervisor that stops', { pid: 400, ppid: 95, environ: OURS }, true, 95],
  ['a zombie', { pid: 400, ppid: 100, state: 'Z' }, false],
  ['a kernel thread', { pid: 400, ppid: 2, kernelThread: true }, false],
  ['process 1', { pid: 1, ppid: 100, ticks: 900 }, false],
])('%s', (_name, row, ours, self) => {
  expect(judge(row, self) !== null).toBe(ours);
});

test("a just-forked process's own cookie names its service", () => {
  const environ = serviceCookie(marksOf('app'), 'api', 'cc33');
  expect(judge({ pid: 400, ppid: 100, environ })?.service).toBe('api');
  expect(judge({ pid: 400, ppid: 100 })?.service).toBe('web');
  expect(judge({ pid: 400, ppid: 95 })?.service).toBe(null);
});

test('an orphan that our subreaper adopted, while another project lives below it', () => {
  expect(judge({ pid: 400, ppid: 95 }, 120, false)).toBe(null);
  expect(judge({ pid: 400, ppid: 95, environ: OURS }, 120, false)).not.toBe(null);
});

test('a process that the exempt one-off forks during the stop is left alone', () => {
  const born: Row = { pid: 400, environ: OURS };
  expect(judge(born, 120, true, ['bb22'])).toMatchObject({ runId: 'aa11' });
  expect(judge(born, 120, true, ['aa11'])).toBe(null);
});
