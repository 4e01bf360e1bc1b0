import { expect, test } from 'vitest';
import { beginRun } from '../../../src/operations/run/begin.ts';
import { openProcessTable } from '../../../src/processes/open-table.ts';
import { openHost } from '../../../src/processes/real-host.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { temporaryProject } from '../../support/temporary-project.ts';

test('a one-off whose identity cannot be read after its spawn is run all the same', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root, project.file('.pids'));
  const real = openProcessTable();
  const host = openHost(real);
  const table = {
    ...real,
    read: async () => {
      throw new Error('EMFILE: too many open files');
    },
  };
  const warnings: string[] = [];
  const run = await beginRun(
    { folder, host, table, self: await host.self() },
    {
      name: null,
      command: ['/bin/sh', '-c', 'exit 3'],
      cwd: project.root,
      env: {},
      graceMs: null,
      containment: 'none',
      logsDir: project.file('.pids/logs'),
      services: [],
      warn: (line) => void warnings.push(line),
    },
  );
  expect(await run.exited).toEqual({ code: 3, signal: null });
  expect(run.record).toMatchObject({ service: 'run-sh', state: 'running', leader: null });
  expect(warnings).toEqual([expect.stringMatching(/run-sh .* could not be looked at: EMFILE/)]);
});
