import { expect, test } from 'vitest';
import { appendLedger } from '../../src/project/ledger.ts';
import { factsOf } from '../../src/tracking/facts.ts';
import { readProjectState } from '../../src/tracking/project-state.ts';
import { temporaryRecords } from '../project/records-folder.ts';
import { BOOT, identity, NAMESPACE, snapshotOf } from '../support/process-table.ts';

const RUN = '1'.repeat(32);
const SELF = 700;

test.each([
  ['of a living process', 500, true],
  ['of a session whose leader has died', 600, true],
  ['of a process group whose leader has died', 601, true],
  ['of a zombie', 502, true],
  ['of nothing', 900, false],
])('an entry of the ledger with the number %s is a fact: %i %s', (_what, pid, expected) => {
  const folder = temporaryRecords();
  const scope = { bootId: BOOT, pidNamespace: NAMESPACE };
  appendLedger(folder, 'web', scope, [
    { runId: RUN, identity: identity(pid), ppid: 1, pgid: pid, sid: pid },
  ]);
  const snapshot = snapshotOf([
    { pid: SELF },
    { pid: 500 },
    { pid: 501, sid: 600, pgid: 601 },
    { pid: 502, state: 'Z' },
  ]);
  const facts = factsOf(readProjectState(folder), identity(SELF), snapshot, Date.now());
  expect(facts.witnessed.map((seen) => seen.identity.pid)).toEqual(expected ? [pid] : []);
});
