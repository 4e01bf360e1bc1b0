import { chmodSync, chownSync, readdirSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { NOBODY } from '../processes/support/nobody.ts';
import { hasControlGroups } from '../support/control-groups.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import {
  hasSubreaper,
  removeRecords,
  service,
  signalSupervisor,
  supervisorsOf,
  untilWitnessed,
} from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

/** One service for each way to escape that leaves a trace: a cookie, a session, a folder. */
const escapes = {
  fan: service('fan', ['3']),
  session: service('own-session'),
  group: service('own-group'),
  daemon: service('double-fork'),
  stubborn: service('stubborn', ['1'], { stop: { grace: '300ms' } }),
};
const ESCAPED = 12;

async function escaped(more: object = {}): Promise<TemporaryProject> {
  const project = await temporaryProject({ services: { ...escapes, ...more } });
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode, stderr).toBe(0);
  expect(project.oracle.processes().length).toBeGreaterThanOrEqual(ESCAPED);
  return project;
}

async function expectStopToEndAll(project: TemporaryProject, ...args: readonly string[]) {
  const { exitCode, report, stderr } = await stopReport(project, ...args);
  expect(project.oracle.everything().map(({ argv }) => argv.join(' '))).toEqual([]);
  expect(exitCode, stderr).toBe(0);
  expect(report.survivors).toEqual([]);
  return report;
}

fullTest('stop ends all after the supervisor was killed', async () => {
  await using project = await escaped();
  await signalSupervisor(project, 'SIGKILL');
  expect(project.oracle.processes().length).toBe(ESCAPED);
  const { proof } = await expectStopToEndAll(project);
  // The control groups of the services, or the guard, have contained everything all the while.
  expect(proof.strength).toBe(hasControlGroups || hasSubreaper ? 'complete' : 'best-effort');
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
});

fullTest.runIf(hasSubreaper)(
  'stop ends all after the supervisor of a daemon without environment was killed',
  async () => {
    await using project = await escaped({ bare: service('double-fork', ['--empty-env']) });
    await untilWitnessed(project);
    await signalSupervisor(project, 'SIGKILL');
    await expectStopToEndAll(project);
  },
);

fullTest('stop ends all after the records were deleted', async () => {
  await using project = await escaped();
  await removeRecords(project);
  await expectStopToEndAll(project);
  // The processes that the stop itself has written down are proved gone as well.
  expect(readdirSync(project.file('.pids/ledger'))).toEqual([]);
});

fullTest.runIf(hasSubreaper)(
  'stop ends all after the records were deleted, also a daemon without environment',
  async () => {
    await using project = await escaped({ bare: service('double-fork', ['--empty-env']) });
    await removeRecords(project);
    await expectStopToEndAll(project);
  },
);

test('stop ends all after the records were deleted and the supervisor was killed', async () => {
  await using project = await escaped();
  await signalSupervisor(project, 'SIGKILL');
  await removeRecords(project);
  await expectStopToEndAll(project);
});

fullTest(
  'stop --force ends all after records and manifest were deleted and the supervisor was killed',
  async () => {
    await using project = await escaped();
    await signalSupervisor(project, 'SIGKILL');
    await removeRecords(project);
    rmSync(project.file('.devctl.json'));
    await expectStopToEndAll(project, '--force');
  },
);

fullTest.each([[['stop']], [['stop', '--force']]])(
  'all ends although the manifest is broken: %j',
  async (args) => {
    await using project = await escaped();
    project.write('.devctl.json', '{');
    const { exitCode, stderr } = await devctl(project, ...args);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('.devctl.json');
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(project.oracle.everything()).toEqual([]);
  },
);

// Root may read everything, so another user is needed.
fullTest.runIf(process.getuid?.() === 0).each([[['stop']], [['stop', '--force']]])(
  'all ends although the manifest may not be read: %j',
  async (args) => {
    await using project = await temporaryProject({ services: { fan: service('fan', ['3']) } });
    chownSync(project.root, NOBODY, NOBODY);
    const run = (...words: readonly string[]) => devctlWith(project, { uid: NOBODY }, ...words);
    const started = await run('start');
    expect(started.exitCode, started.stderr).toBe(0);
    chmodSync(project.file('.devctl.json'), 0o000);
    const { exitCode, stderr } = await run(...args);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('cannot be read: permission denied');
    expect(project.oracle.everything()).toEqual([]);
  },
);

test('stop ends all after the manifest was deleted', async () => {
  await using project = await escaped();
  rmSync(project.file('.devctl.json'));
  expect(await statusReport(project)).toMatchObject({ exitCode: 0 });
  await expectStopToEndAll(project);
});

fullTest('stop ends all when the supervisor is stopped by a debugger', async () => {
  await using project = await escaped();
  await signalSupervisor(project, 'SIGSTOP');
  const { supervisor } = await expectStopToEndAll(project);
  expect(supervisor).toMatchObject({ ended: true });
});

fullTest('start replaces a supervisor that is stopped and whose records are gone', async () => {
  await using project = await temporaryProject({ services: { fan: service('fan', ['3']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGSTOP');
  await removeRecords(project);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(supervisorsOf(project).length).toBe(1);
  expect(project.oracle.processes().length).toBe(4);
  await expectStopToEndAll(project);
});
