import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('services start in order of dependence', async () => {
  const journal = (name: string, dependsOn: readonly string[]) =>
    service('journal', ['journal', name, '150'], { dependsOn });
  await using project = await temporaryProject({
    services: { web: journal('web', ['api']), api: journal('api', ['db']), db: journal('db', []) },
  });
  const { exitCode, stderr, stdout } = await devctl(project, 'start');
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain('3 of 3 services are up');
  const lines = readFileSync(project.file('journal'), 'utf8').trim().split('\n');
  expect(lines).toEqual(['db born', 'db up', 'api born', 'api up', 'web born', 'web up']);
});

test('services that do not depend on each other start side by side', async () => {
  // Each service is ready only when the other one has been started.
  const command = (own: string) => `touch ${own}.here && exec sleep 100`;
  await using project = await temporaryProject({
    services: {
      left: { command: command('left'), ready: { exec: 'test -f right.here', interval: '50ms' } },
      right: { command: command('right'), ready: { exec: 'test -f left.here', interval: '50ms' } },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
});

test('"started" does not wait until the other service is ready', async () => {
  await using project = await temporaryProject({
    services: {
      db: { command: 'exec sleep 100', ready: { exec: 'test -f api.here', interval: '50ms' } },
      api: { command: 'touch api.here && exec sleep 100', dependsOn: { db: 'started' } },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
});

test('a named service is started with its dependencies, and nothing else', async () => {
  await using project = await temporaryProject({
    services: {
      db: service('sleeper'),
      api: service('sleeper', [], { dependsOn: ['db'] }),
      other: service('sleeper'),
    },
  });
  const { exitCode, report } = await startReport(project, 'api');
  expect(exitCode).toBe(0);
  expect(report.services.map(({ name }) => name).sort()).toEqual(['api', 'db']);
  expect(project.oracle.processes().length).toBe(2);
  expect(await devctl(project, 'start', 'nobody')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('nobody'),
  });
});

fullTest(
  'a group stands for its services, and a service with autostart: false waits to be named',
  async () => {
    await using project = await temporaryProject({
      services: {
        a: service('sleeper'),
        b: service('sleeper'),
        c: service('sleeper'),
        seed: service('sleeper', [], { autostart: false }),
      },
      groups: { pair: ['a', 'b'] },
    });
    const names = async (...args: readonly string[]) => {
      const { exitCode, report } = await startReport(project, ...args);
      expect(exitCode).toBe(0);
      return report.services.map(({ name }) => name).sort();
    };
    expect(await names('pair')).toEqual(['a', 'b']);
    expect(await names()).toEqual(['a', 'b', 'c']);
    expect(await names('seed')).toEqual(['seed']);
    expect(project.oracle.processes().length).toBe(4);
  },
);

fullTest('a start of running services succeeds and starts nothing', async () => {
  await using project = await temporaryProject({
    services: { a: service('sleeper'), b: service('chain', ['2']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const before = project.oracle.processes().map(({ pid }) => pid);
  expect(before.length).toBe(3);
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode).toBe(0);
  expect(stderr).toContain('already running: a, b');
  expect(project.oracle.processes().map(({ pid }) => pid)).toEqual(before);
});

test('start starts only the missing services', async () => {
  await using project = await temporaryProject({
    services: { a: service('sleeper'), b: service('sleeper') },
  });
  const first = await startReport(project);
  expect(await devctl(project, 'stop', 'a')).toMatchObject({ exitCode: 0 });
  const second = await startReport(project);
  const pidOf = ({ report }: typeof first, wanted: string) =>
    report.services.find(({ name }) => name === wanted)?.pid;
  expect(pidOf(second, 'b')).toBe(pidOf(first, 'b'));
  expect(pidOf(second, 'a')).not.toBe(pidOf(first, 'a'));
  expect(await statusReport(project)).toMatchObject({ exitCode: 0 });
});

test('--json says for each service what became of it', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper'), broken: service('crash', ['0', '3', 'fatal: no luck']) },
  });
  const { exitCode, report } = await startReport(project);
  expect(exitCode).toBe(1);
  expect(report).toEqual({
    version: 1,
    ok: false,
    leases: [],
    breaches: [],
    containers: [],
    urls: [],
    aborted: [],
    abandoned: false,
    changed: [],
    services: expect.arrayContaining([
      {
        name: 'web',
        state: 'ready',
        pid: expect.any(Number),
        reason: null,
        tookMs: expect.any(Number),
        alreadyRunning: false,
        blockedBy: [],
        done: false,
        givenUp: false,
        lastLines: [],
        log: project.file('.pids/logs/web.log'),
      },
      {
        name: 'broken',
        state: 'failed',
        pid: null,
        reason: expect.stringContaining('3'),
        tookMs: expect.any(Number),
        alreadyRunning: false,
        blockedBy: [],
        done: false,
        givenUp: false,
        lastLines: ['starting', 'fatal: no luck'],
        log: project.file('.pids/logs/broken.log'),
      },
    ]),
  });
});
