import { expect, test } from 'vitest';
import { guardCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { trackClaims } from '../../src/tracking/claim-tracker.ts';
import { readProjectState } from '../../src/tracking/project-state.ts';
import { temporaryRecords } from '../project/records-folder.ts';
import { marksOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const PROJECT = projectFolder('/home/me/app');
const GUARD: Row = { pid: 500, ppid: 1, environ: guardCookie(marksOf(PROJECT.mark)) };
const SUPERVISOR: Row = { pid: 510, ppid: 500, environ: supervisorCookie(marksOf(PROJECT.mark)) };
/** A guard in the middle of its execve(2): its name is new, and it has no environment yet. */
const BECOMING: Row = { ...GUARD, name: 'sleep', environ: '' };

function guardsAfter(...scans: readonly (readonly Row[])[]): readonly number[] {
  const state = { ...readProjectState(temporaryRecords()), folder: PROJECT };
  const options = { state, self: identity(900), names: new Set<string>(), remember: () => {} };
  const tracker = trackClaims(options);
  for (const rows of scans) tracker.claim(snapshotOf(rows));
  return tracker.latest().guards.map(({ identity: { pid } }) => pid);
}

test.each<[string, readonly (readonly Row[])[], readonly number[]]>([
  ['a guard that was seen before', [[GUARD], [BECOMING]], [500]],
  ['the parent of a supervisor', [[BECOMING, SUPERVISOR]], [500]],
  ['not a process alone', [[BECOMING]], []],
  ['not a process of another name', [[{ ...BECOMING, name: 'tini' }, SUPERVISOR]], []],
  ['not a process with an environment', [[{ ...BECOMING, environ: 'A=1\0' }, SUPERVISOR]], []],
  ['not a process that has its pid by now', [[GUARD], [{ ...BECOMING, ticks: 9_000 }]], []],
  ['not a guard that has died', [[GUARD], [{ ...GUARD, state: 'Z' }]], []],
])('a guard in the middle of its execve: %s', (_, scans, expected) => {
  expect(guardsAfter(...scans)).toEqual(expected);
});
