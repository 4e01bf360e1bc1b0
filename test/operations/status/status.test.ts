import { expect, test } from 'vitest';
import { readStatus } from '../../../src/operations/status/status.ts';
import { guardCookie } from '../../../src/ownership/cookie.ts';
import { openProject } from '../../../src/project/open-project.ts';
import { marksOf } from '../../support/marks.ts';
import { identity, type Row, snapshotOf } from '../../support/process-table.ts';
import { temporaryProject } from '../../support/temporary-project.ts';

test.each<[name: string, child: Partial<Row>, orphans: readonly number[]]>([
  ['is exiting, so it may be the supervisor', { argv: [], environ: null }, []],
  ['is exiting, as `ps` shows it', { argv: '[node]' }, []],
  ['has cleared its environment and its arguments', { argv: [], rssBytes: 4096 }, [95]],
  ['is swapped out', { argv: 'node server.js' }, [95]],
])('status of a process that is below the guard and %s', async (_name, child, orphans) => {
  await using project = await temporaryProject();
  const open = openProject({ cwd: project.root, config: undefined });
  const environ = guardCookie(marksOf(open.folder.mark));
  const snapshot = snapshotOf([
    { pid: 20, name: 'bash' },
    { pid: 21, ppid: 20, argv: 'node devctl status' },
    { pid: 90, name: 'sleep', environ },
    { pid: 95, ppid: 90, ...child },
  ]);
  const host = { snapshot: async () => snapshot, self: async () => identity(21) };
  const report = await readStatus(host, open, null);
  expect(report.orphans.map(({ pid }) => pid)).toEqual(orphans);
  expect(report.unattributed).toEqual([]);
});
