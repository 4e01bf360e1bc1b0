import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl, startDevctl } from '../support/devctl.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const STAYS = 'exec sleep 1000';

test('a command that ends at once is not up, and start says why', async () => {
  await using project = await temporaryProject({
    // The start waits that long for a failure, however busy the machine is.
    settle: '60s',
    services: {
      typo: { command: 'npm rum dev' },
      fails: { command: 'false' },
      late: { command: 'sleep 0.3; echo no database; exit 5' },
      ends: { command: 'true' },
      stays: { command: STAYS, settle: '100ms' },
    },
  });
  const { exitCode, stdout, stderr } = await devctl(project, 'start');
  expect(exitCode).toBe(1);
  expect(stdout).toContain('1 of 5 services are up');
  expect(stderr).toContain('| npm error');
  expect(stderr).toMatch(/✗ late: exited with code 5[\s\S]*\| no database/);
  expect(stderr).toContain('if that is its task: "oneShot": true');
  const { report } = await startReport(project, 'ends');
  expect(report.services).toMatchObject([
    { state: 'exited', done: false, reason: 'exited with code 0' },
  ]);
});

test('a restart policy has until one life has lasted for the settle time', async () => {
  const once = `test -e mark || { touch mark; exit 1; }; ${STAYS}`;
  await using project = await temporaryProject({
    settle: '200ms',
    services: { web: { command: once, restart: { policy: 'on-failure', backoff: '10ms' } } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(existsSync(project.file('mark'))).toBe(true);
});

fullTest(
  'a line of the log starts dependents, but a service that ends within the settle time after it has failed',
  async () => {
    await using project = await temporaryProject({
      settle: '1s',
      services: {
        web: {
          command: 'echo ready; until [ -e go ]; do sleep 0.05; done; exit 1',
          ready: { log: '^ready$' },
        },
        after: { command: `touch go; ${STAYS}`, dependsOn: ['web'] },
      },
    });
    const { exitCode, report } = await startReport(project);
    expect(exitCode).toBe(1);
    expect(report.services).toMatchObject([
      { name: 'web', state: 'failed', reason: 'exited with code 1' },
      { name: 'after', state: 'running' },
    ]);
  },
);

test('with "settle": 0 start waits for nothing', async () => {
  const untilGo = 'until [ -e go ]; do sleep 0.05; done; exit 1';
  await using project = await temporaryProject({
    settle: 0,
    services: { web: { command: untilGo } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('go', '');
  await until(async () => (await devctl(project, 'status')).stdout.includes('exited with code 1'));
});

fullTest('a stop within the settle time is no success of the start', async () => {
  await using project = await temporaryProject({
    settle: '60s',
    services: { web: { command: STAYS }, db: { command: STAYS, settle: 0 } },
  });
  const start = startDevctl(project, {}, 'start', '--json');
  await until(async () => {
    const { services } = (await statusReport(project)).report;
    return services.length === 2 && services.every(({ state }) => state === 'running');
  });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  const { exitCode, stdout } = await start;
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    abandoned: true,
    services: [
      { name: 'web', givenUp: true, reason: 'given up: a stop came first' },
      { name: 'db', givenUp: false, reason: null },
    ],
  });
});
