import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { service, signalSupervisor } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('a task that has succeeded is done for every command until a stop', async () => {
  await using project = await temporaryProject({
    services: {
      db: service('sleeper'),
      migrate: {
        command: 'echo begun >> log; sleep 0.3; echo ended >> log',
        oneShot: true,
        dependsOn: ['db'],
      },
      // A service that depends on it waits until it is done.
      api: {
        command: 'cp log seen; exec sleep 100',
        dependsOn: ['migrate'],
        ready: { exec: 'test -f seen' },
      },
      flaky: { command: 'exit 7', oneShot: true, autostart: false },
      after: service('sleeper', [], { dependsOn: { flaky: 'exited' }, autostart: false }),
      never: service('sleeper', [], { dependsOn: { flaky: 'completed' }, autostart: false }),
    },
  });
  const runs = () => readFileSync(project.file('log'), 'utf8').match(/begun/g)?.length;
  const first = await startReport(project);
  expect(first.exitCode, first.stderr).toBe(0);
  expect(first.stderr).toMatch(/running migrate[\s\S]*migrate done after/);
  expect(first.report.services.find(({ name }) => name === 'migrate')).toMatchObject({
    state: 'exited',
    done: true,
    lastLines: [],
  });
  expect(readFileSync(project.file('seen'), 'utf8')).toBe('begun\nended\n');

  const status = await statusReport(project);
  expect(status.exitCode).toBe(0);
  expect(status.report.services.find(({ name }) => name === 'migrate')).toMatchObject({
    state: 'exited',
    done: true,
    exit: { code: 0, signal: null },
  });
  expect((await devctl(project, 'status')).stdout).toMatch(/^migrate +done /m);
  expect((await devctl(project, 'doctor')).stdout).not.toContain('migrate');

  const again = await devctl(project, 'start');
  expect(again).toMatchObject({ exitCode: 0 });
  expect(again.stderr).toMatch(/already done: migrate/);
  await signalSupervisor(project, 'SIGKILL');
  expect((await startReport(project)).exitCode).toBe(0);
  expect((await statusReport(project)).exitCode).toBe(0);
  expect(runs()).toBe(1);
  expect(await devctl(project, 'restart', 'migrate')).toMatchObject({ exitCode: 0 });
  expect(runs()).toBe(2);

  const odd = await startReport(project, 'after', 'never');
  expect(odd.exitCode).toBe(1);
  const states = odd.report.services.map(({ name, state, reason }) => [name, state, reason]);
  expect(states).toEqual([
    ['flaky', 'failed', 'exited with code 7'],
    ['after', 'ready', null],
    ['never', 'failed', 'waits for flaky, which failed'],
  ]);
  expect((await statusReport(project)).exitCode).toBe(3);
  // A service that was never started has not failed.
  const told = await devctl(project, 'report');
  expect(told.stdout).toMatch(
    /^flaky failed; never is blocked \(waits for flaky, which failed\)\n/,
  );
  expect(told.stdout).toMatch(/^never {2}blocked \(waits for flaky, which failed\), up 0 ms$/m);

  const stopped = await stopReport(project);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(project.oracle.everything()).toEqual([]);
  expect(await devctl(project, 'start', 'migrate')).toMatchObject({ exitCode: 0 });
  expect(runs()).toBe(3);
});
