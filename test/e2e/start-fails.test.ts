import { chmodSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl, devctlWith } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('a service that ends before it is ready fails at once, with its exit code and last lines', async () => {
  await using project = await temporaryProject({
    services: {
      web: {
        command: fixture('crash', '100', '7', 'fatal: no database'),
        // Longer than this test may take: only the end of the service can end the wait.
        ready: { log: '^ready$', timeout: '10m' },
      },
    },
  });
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/web.*code 7/);
  expect(stderr).toContain('| starting\n  | fatal: no database');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(project.oracle.processes()).toEqual([]);
});

eachMode([
  ['as a list', ['no-such-program-here', '--x']],
  ['through the shell', 'no-such-program-here --x'],
])('start names a command that does not exist, %s', async (_how, command) => {
  await using project = await temporaryProject({
    services: { web: { command, ready: { delay: '10s' } } },
  });
  // Without folders of other users: where one may not be searched, a shell says "Permission denied".
  const env = { PATH: '/usr/bin:/bin' };
  const { exitCode, stderr } = await devctlWith(project, { env }, 'start');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('web');
  expect(stderr).toContain('no-such-program-here');
  expect(stderr).toMatch(/not found|ENOENT|does not exist/);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test('running services stay up, and services that depend on a failed one are not started', async () => {
  await using project = await temporaryProject({
    services: {
      other: service('sleeper'),
      db: service('crash'),
      api: service('sleeper', [], { dependsOn: ['db'] }),
      web: service('sleeper', [], { dependsOn: ['api'] }),
    },
  });
  const { exitCode, report } = await startReport(project);
  expect(exitCode).toBe(1);
  const states = Object.fromEntries(report.services.map(({ name, state }) => [name, state]));
  expect(states).toEqual({ other: 'ready', db: 'failed', api: 'failed', web: 'failed' });
  const reasonOf = (wanted: string) => report.services.find(({ name }) => name === wanted)?.reason;
  expect(reasonOf('api')).toContain('db');
  expect(reasonOf('web')).toContain('db');
  expect(project.oracle.processes().length).toBe(1);
});

test('--abort-on-failure stops again what this start has started', async () => {
  await using project = await temporaryProject({
    services: {
      before: service('sleeper', [], { autostart: false }),
      good: service('fan', ['3']),
      bad: { command: 'echo no database; exit 3', ready: { tcp: 1 }, dependsOn: ['good'] },
      late: service('sleeper', [], { dependsOn: ['bad'] }),
      task: { command: 'true', oneShot: true },
    },
  });
  expect(await devctl(project, 'start', 'before')).toMatchObject({ exitCode: 0 });
  const [before] = project.oracle.processes();
  const shown = await devctl(project, 'start', '--abort-on-failure');
  expect(shown.exitCode).toBe(1);
  expect(shown.stderr).toMatch(/^✗ bad: exited with code 3 before it was ready$/m);
  expect(shown.stderr).toContain('  | no database\n');
  expect(shown.stderr).toMatch(/^stopped again: good$/m);
  // The task is done, and stays so.
  expect(shown.stdout).toBe('1 of 4 services are up');
  const reason = 'stopped again, because bad failed';
  const { report: status } = await statusReport(project);
  expect(status.services.find(({ name }) => name === 'good')).toMatchObject({
    state: 'exited',
    reason,
  });
  const { exitCode, report } = await startReport(project, '--abort-on-failure');
  expect(exitCode).toBe(1);
  expect(report.aborted).toEqual(['good']);
  const good = report.services.find(({ name }) => name === 'good');
  expect(good).toMatchObject({ state: 'exited', pid: null, reason });
  expect(project.oracle.processes().map(({ pid }) => pid)).toEqual([before?.pid]);
});

test('after a failure the next start goes on with the services that are missing', async () => {
  await using project = await temporaryProject({
    services: {
      a: service('sleeper'),
      b: { command: 'cat wanted && exec sleep 100', ready: { log: 'up' } },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('wanted'),
  });
  project.write('wanted', 'up\n');
  const { exitCode, report } = await startReport(project);
  expect(exitCode).toBe(0);
  expect(report.services.find(({ name }) => name === 'a')?.alreadyRunning).toBe(true);
});

fullTest(
  'a program that only the project has, and a script with CRLF, are explained by restart and up too',
  async () => {
    await using project = await temporaryProject(
      {
        services: { web: { command: 'mytool --port 1' }, job: { command: ['./run.sh'] } },
        settle: '60s',
      },
      { 'node_modules/.bin/mytool': '#!/bin/sh\n', 'run.sh': '#!/bin/sh\r\n' },
    );
    for (const file of ['node_modules/.bin/mytool', 'run.sh']) chmodSync(project.file(file), 0o755);
    for (const command of ['restart', 'up']) {
      const { exitCode, stderr } = await devctl(project, command);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/→ mytool is in \S+\.bin: "command": "npx mytool …" starts it/);
      expect(stderr).toMatch(/run\.sh cannot be started: its first line ends in CRLF/);
      expect(stderr).toContain(`sed -i 's/\\r$//' ${project.file('run.sh')}`);
    }
  },
);
