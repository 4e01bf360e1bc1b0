import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { askOneOffs } from '../../../src/operations/stop/ask-one-offs.ts';
import { openHost } from '../../../src/processes/real-host.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { writeRecord } from '../../../src/project/records.ts';
import { recordOf } from '../../project/records-folder.ts';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { devctl, startDevctl } from '../../support/devctl.ts';
import { stopReport } from '../../support/reports.ts';
import { hasSubreaper, killAtOnce } from '../../support/services.ts';
import { temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

test.runIf(process.platform === 'linux')(
  'a child of no known service keeps a stop from saying that nothing is left',
  async () => {
    await using project = await temporaryProject();
    // A shell in the place of `devctl run`.
    spawn('/bin/sh', ['-c', 'sleep 120; exec sleep 121'], {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env },
      stdio: 'ignore',
    });
    const find = (line: string) =>
      project.oracle.everything().find(({ argv }) => argv.join(' ') === line);
    const leaf = await until(() => find('sleep 120'));
    const host = openHost();
    const parent = (await host.snapshot()).byPid.get(leaf.ppid);
    if (!parent) throw new Error('There is no parent');
    const folder = projectFolder(project.root);
    const run = recordOf(folder, 'once', { supervisor: parent.identity });
    let stops = 0;
    const question = {
      host,
      folder,
      oneOffParents: [{ process: parent, run }],
      stopAgain: async () => {
        stops += 1;
      },
    };
    expect({ answers: await askOneOffs(question), stops }).toEqual({ answers: [true], stops: 2 });
    await killAtOnce(leaf);
    await until(() => find('sleep 121'));
    stops = 0;
    expect({ answers: await askOneOffs(question), stops }).toEqual({ answers: [false], stops: 0 });

    // A record that is left behind means that `devctl run` was killed, and its orphans may have gone to process 1.
    writeRecord(folder, run);
    const last = find('sleep 121');
    if (last) await killAtOnce(last);
    expect(await askOneOffs(question)).toEqual([null]);
    // A missing record means that it has ended by itself, without a child.
    await devctl(project, 'stop', '--force');
    expect(await askOneOffs(question)).toEqual([false]);
  },
);

test.runIf(hasSubreaper)('a full stop of a one-off has a complete proof', async () => {
  await using project = await temporaryProject({
    containment: 'none',
    services: { web: { command: 'sleep 60', autostart: false } },
  });
  const script = 'setsid sleep 60 & trap "" TERM; : >begun; sleep 60; sleep 60';
  const words = ['run', '--grace', '300ms', '--', 'sh', '-c', script];
  const running = startDevctl(project, {}, ...words);
  await until(() => project.oracle.processes().length >= 3);
  const { exitCode, report } = await stopReport(project);
  expect({ exitCode, proof: report.proof }).toMatchObject({
    exitCode: 0,
    proof: { strength: 'complete', why: null },
  });
  await running;
  expect(project.oracle.everything()).toEqual([]);
});
