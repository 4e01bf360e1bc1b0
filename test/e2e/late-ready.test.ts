import { rmSync } from 'node:fs';
import { expect } from 'vitest';
import type { HistoryEvent } from '../../src/history/events.ts';
import { readHistory } from '../../src/history/read.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const isWaiting = (event: HistoryEvent) => event.kind === 'change' && event.to === 'waiting';

const STAYS = 'exec sleep 1000';

test('a service that becomes ready after its time is ready, without another start', async () => {
  await using project = await temporaryProject({
    services: {
      web: { command: STAYS, ready: { exec: 'test -e on', timeout: '200ms' } },
      dep: { command: STAYS, dependsOn: ['web'] },
    },
  });
  const { exitCode, report } = await startReport(project);
  expect([exitCode, report.services[0]?.state]).toEqual([1, 'unhealthy']);
  project.write('on', '');
  await until(async () => (await statusReport(project)).report.services[0]?.state === 'ready');
  const { stdout } = await devctl(project, 'status');
  expect(stdout).toContain('dep: web was not up in time, and is up now');
  expect(stdout).toContain('npx --no-install devctl start dep');
  expect(await devctl(project, 'start', 'dep')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
});

fullTest(
  'what was not ready is not up for another supervisor either, until it answers',
  async () => {
    await using project = await temporaryProject({
      services: { web: { command: STAYS, ready: { exec: 'test -e on', timeout: '200ms' } } },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 1 });
    await signalSupervisor(project, 'SIGKILL');
    await devctl(project, 'adopt');
    expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 1 });
    project.write('on', '');
    await until(async () => (await statusReport(project)).report.services[0]?.state === 'ready');
  },
);

fullTest(
  'start waits for a service that is unhealthy at this moment, as long as its timeout says',
  async () => {
    const ready = { exec: 'test -e well', recheck: '1s', timeout: '2s' };
    await using project = await temporaryProject(
      {
        services: {
          db: { command: STAYS, ready, live: { exec: 'test -e well', interval: '50ms' } },
        },
      },
      { well: '' },
    );
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const before = (await statusReport(project)).report.services[0]?.pid;
    rmSync(project.file('well'));
    await until(
      async () => (await statusReport(project)).report.services[0]?.state === 'unhealthy',
    );
    const given = await startReport(project, 'db');
    expect([given.exitCode, given.report.services[0]?.state]).toEqual([1, 'unhealthy']);
    expect(given.report.services[0]?.tookMs).toBeGreaterThanOrEqual(2_000);
    const start = startDevctl(project, {}, 'start', '--json', 'db');
    project.write('well', '');
    const { exitCode, stdout } = await start;
    expect(exitCode, stdout).toBe(0);
    expect(JSON.parse(stdout).services).toMatchObject([{ state: 'ready', pid: before }]);
  },
);

test('a dependent waits for a service that is unhealthy at this moment', async () => {
  await using project = await temporaryProject({
    services: {
      db: { command: STAYS, live: { exec: 'test -e well', interval: '50ms', failures: 1 } },
      web: { command: STAYS, dependsOn: ['db'] },
    },
  });
  expect(await devctl(project, 'start', 'db')).toMatchObject({ exitCode: 0 });
  await until(async () => (await statusReport(project)).report.services[0]?.state === 'unhealthy');
  const start = startDevctl(project, {}, 'start');
  const folder = projectFolder(project.root);
  await until(() => readHistory(folder).events.some(isWaiting));
  project.write('well', '');
  expect(await start).toMatchObject({ exitCode: 0 });
});
