import { expect, test } from 'vitest';
import { supervisorCookie } from '../../src/ownership/cookie.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { findResidents } from '../../src/tracking/residents.ts';
import { type Row, snapshotOf } from '../support/process-table.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const uid = process.geteuid?.() ?? 1000;

test.each<[name: string, row: Partial<Row>, isFound: boolean]>([
  ['a supervisor', {}, true],
  ["another user's process that claims to be one", { uid: uid + 1 }, false],
  ['a process with its environment and another command line', { argv: 'node server.js' }, false],
])('residents: %s', async (_name, row, isFound) => {
  await using project = await temporaryProject({ services: {} });
  const supervisor: Row = {
    // A number that no process has, because the namespace of a living one would be read.
    pid: 99_999_999,
    uid,
    argv: 'node /opt/devctl/dist/supervisor/main.js',
    cwd: project.root,
    environ: supervisorCookie({ mark: 'app-0123456789abcdef', id: '0123456789abcdef' }),
    ...row,
  };
  const found = findResidents(projectFolder(project.root), snapshotOf([supervisor]));
  expect(found.map(({ pid }) => pid)).toEqual(isFound ? [supervisor.pid] : []);
});
