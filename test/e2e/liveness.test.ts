import { existsSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { service, signalSupervisor } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A service whose liveness probe succeeds while a file is missing. */
function wellWithout(file: string, more: object = {}): object {
  const live = { exec: ['test', '!', '-f', file], interval: '50ms', failures: 2 };
  return service('sleeper', [], { live, ...more });
}

function inState(project: TemporaryProject, name: string, state: string) {
  return until(async () => {
    const { report, exitCode } = await statusReport(project);
    const found = report.services.find((one) => one.name === name);
    return found?.state === state ? { ...found, exitCode } : null;
  });
}

test('a service whose liveness probe fails is unhealthy or started again, also after its adoption', async () => {
  await using project = await temporaryProject({
    services: {
      web: wellWithout('sick-web'),
      api: wellWithout('sick-api', {
        restart: { policy: 'on-failure', backoff: '50ms', maxRestarts: 99 },
        stop: { command: 'touch said-bye' },
      }),
    },
  });
  expect((await startReport(project)).exitCode).toBe(0);
  const web = await inState(project, 'web', 'ready');
  const api = await inState(project, 'api', 'ready');

  project.write('sick-web', '');
  expect(await inState(project, 'web', 'unhealthy')).toMatchObject({
    pid: web.pid,
    restarts: 0,
    exitCode: 3,
    reason: expect.stringMatching(
      /^its liveness probe failed 2 times in a row: "test .*exited with code 1$/,
    ),
  });
  rmSync(project.file('sick-web'));
  expect(await inState(project, 'web', 'ready')).toMatchObject({ pid: web.pid, exitCode: 0 });

  project.write('sick-api', '');
  await until(() => existsSync(project.file('said-bye')));
  rmSync(project.file('sick-api'));
  const again = await until(async () => {
    const found = await inState(project, 'api', 'ready');
    // A probe that is just running counts as a process too.
    return found.pid !== api.pid && found.processes === 1 ? found : null;
  });
  expect(again.restarts).toBeGreaterThan(0);

  await signalSupervisor(project, 'SIGKILL');
  expect((await startReport(project)).exitCode).toBe(0);
  project.write('sick-web', '');
  expect(await inState(project, 'web', 'unhealthy')).toMatchObject({ pid: web.pid });

  const stopped = await stopReport(project);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(project.oracle.everything()).toEqual([]);
});
