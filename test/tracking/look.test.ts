import { expect, test } from 'vitest';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { isOrphan } from '../../src/tracking/look.ts';
import { identity, recordOf, temporaryRecords } from '../project/records-folder.ts';
import { snapshotOf } from '../support/process-table.ts';

const SUPERVISOR = 99_999_998;
const snapshot = snapshotOf([{ pid: 99_999_999 }, { pid: SUPERVISOR }]);
const idOf = (pid: number) => snapshot.byPid.get(pid)?.identity ?? expect.fail('no such process');

test.each<[what: string, record: Partial<ServiceRecord>, isOrphan: boolean]>([
  ['its leader lives', { leader: idOf(99_999_999) }, false],
  ['its leader has ended', { leader: identity(5) }, true],
  [
    'its leader is not noted yet, and its supervisor lives',
    { leader: null, state: 'starting', supervisor: idOf(SUPERVISOR) },
    false,
  ],
  [
    'its leader was never noted, and its supervisor is dead',
    { leader: null, state: 'starting', supervisor: identity(6) },
    true,
  ],
])('a process of a run is an orphan: %s', (_what, changes, expected) => {
  const record = recordOf(temporaryRecords(), 'web', changes);
  const claim = { service: 'web', runId: record.runId };
  expect(isOrphan(claim, { records: [record] }, snapshot)).toBe(expected);
});
