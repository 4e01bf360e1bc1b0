import { expect, test } from 'vitest';
import type { HistoryEvent } from '../../src/history/events.ts';
import { readHistory } from '../../src/history/read.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { signalSupervisor } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const isWaiting = (event: HistoryEvent) => event.kind === 'change' && event.to === 'waiting';

const STAYS = 'exec sleep 1000';

test('a service that becomes ready after its time is ready, without another start', async () => {
  await using project = await temporaryProject({
    services: { web: { command: STAYS, ready: { exec: 'test -e on', timeout: '200ms' } } },
  });
  const { exitCode, report } = await startReport(project);
  expect([exitCode, report.services[0]?.state]).toEqual([1, 'unhealthy']);
  project.write('on', '');
  await until(async () => (await statusReport(project)).report.services[0]?.state === 'ready');
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
});

test('what was not ready is not up for another supervisor either, until it answers', async () => {
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
});

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
