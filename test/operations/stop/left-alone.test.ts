import { expect, test } from 'vitest';
import { findLeftAlone } from '../../../src/operations/stop/left-alone.ts';
import { stopOptions } from '../../../src/operations/stop/options.ts';
import { trackClaims } from '../../../src/tracking/claim-tracker.ts';
import { readProjectState } from '../../../src/tracking/project-state.ts';
import { recordOf, temporaryRecords } from '../../project/records-folder.ts';
import { BOOT, identity, NAMESPACE, snapshotOf } from '../../support/process-table.ts';

test('a stop lists the process of ours that it runs inside of, and not itself', () => {
  const folder = temporaryRecords();
  const moment = { bootId: BOOT, pidNamespace: NAMESPACE };
  const leader = identity(500);
  const record = recordOf(folder, 'web', {
    ...moment,
    leader,
    supervisor: identity(400),
    intentTicks: 450,
  });
  const witnessed = [510, 520].map((pid) => ({
    service: 'web',
    runId: record.runId,
    identity: identity(pid),
    ppid: 500,
    pgid: 500,
    sid: 500,
  }));
  const state = { ...readProjectState(folder), records: [record], ledger: witnessed };
  const owned = trackClaims({
    state,
    self: identity(520),
    names: new Set(['web']),
    remember: () => {},
  });
  owned.claim(
    snapshotOf([
      { pid: 510, pgid: 500, sid: 500, argv: 'sh', cwd: folder.root },
      { pid: 520, ppid: 510, pgid: 500, sid: 500, argv: 'node devctl stop', cwd: folder.root },
    ]),
  );
  const spared = owned.latest().spared.map(({ process }) => process.identity.pid);
  expect(spared).toEqual(expect.arrayContaining([510, 520]));
  const leftAlone = findLeftAlone({ owned }, state, stopOptions({ names: null }));
  expect(leftAlone.map(({ spared: { process } }) => process.identity.pid)).toEqual([510]);
});
