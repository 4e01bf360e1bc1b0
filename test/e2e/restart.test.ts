import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { acquireLock } from '../../src/lock/lock.ts';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { devctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { killAtOnce, service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A service as `status` shows it, once it is in this state. */
function inState(project: TemporaryProject, name: string, state: string) {
  return until(async () => {
    const { report } = await statusReport(project);
    const found = report.services.find((one) => one.name === name);
    return found?.state === state ? found : null;
  });
}

test('a failed service is started again after its old tree has ended, until it has failed too often', async () => {
  await using project = await temporaryProject({
    services: {
      // Its daemon has a session of its own and survives its parent.
      flap: {
        command: fixture('leaves-daemon', '3'),
        restart: { policy: 'on-failure', maxRestarts: 2, backoff: '50ms' },
      },
      // It fails the first time, as a service does that is quicker than its database.
      late: {
        command:
          'test -f tried || { touch tried; echo no database; exit 4; }; echo up; exec sleep 100',
        ready: { log: '^up$' },
        restart: 'on-failure',
      },
      well: service('sleeper', [], { restart: { policy: 'always', backoff: '50ms' } }),
    },
  });
  const started = await startReport(project, 'late', 'well');
  expect(started.exitCode, started.stderr).toBe(0);
  expect(started.stderr).toMatch(/! late: exited with code 4 before it was ready; restart 1 after/);

  const [before] = project.oracle.processes();
  if (!before) throw new Error('There is no process of "well"');
  await killAtOnce(before);
  const again = await until(async () => {
    const { report } = await statusReport(project, 'well');
    const [found] = report.services;
    return found?.state === 'ready' && found.pid !== before.pid ? found : null;
  });
  expect(again).toMatchObject({ restarts: 1, processes: 1 });

  await devctl(project, 'start', 'flap');
  expect(await inState(project, 'flap', 'failed')).toMatchObject({
    reason: 'exited with code 3; given up after 2 restarts within 10 min',
    restarts: 2,
  });
  // The processes of "late" and "well", and the daemon of the last of the three runs.
  expect(project.oracle.processes()).toHaveLength(3);

  const stopped = await stopReport(project);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(project.oracle.everything()).toEqual([]);
});

test('a stop ends a restart that is under way, and no restart comes after it', async () => {
  await using project = await temporaryProject({
    services: {
      // To end the process that it leaves takes the whole grace period.
      stubborn: {
        command: `${fixture('stubborn', '0').join(' ')} & while ! grep -q ready .pids/logs/stubborn.log; do sleep 0.05; done; exit 1`,
        restart: { policy: 'always', backoff: 0 },
        stop: { grace: '1h' },
      },
      paused: { command: 'exit 1', restart: { policy: 'always', backoff: '1h' } },
      other: service('sleeper', [], { restart: { policy: 'always', backoff: 0 } }),
    },
  });
  await devctl(project, 'start');
  const cleared = await inState(project, 'stubborn', 'backoff');
  expect(cleared).toMatchObject({ orphans: 1, restarts: 1 });
  await inState(project, 'paused', 'backoff');
  // The supervisor has not ended although it only waits for a pause.
  const stopped = await stopReport(project, '--grace', '200ms');
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(stopped.report.survivors).toEqual([]);
  expect(project.oracle.everything()).toEqual([]);
  const starts = readFileSync(project.file('.pids/logs/stubborn.log'), 'utf8').match(/ready/g);
  expect(starts).toHaveLength(1);
});

fullTest(
  'the end of an adopted service is reported as far as it is known, and its policy restarts it',
  async () => {
    await using project = await temporaryProject({
      services: {
        plain: service('sleeper'),
        healing: service('sleeper', [], { restart: { policy: 'on-failure', backoff: 0 } }),
      },
    });
    expect((await startReport(project)).exitCode).toBe(0);
    const pids = async () => {
      const { report } = await statusReport(project);
      return new Map(report.services.map(({ name, pid }) => [name, pid]));
    };
    const before = await pids();
    await signalSupervisor(project, 'SIGKILL');
    // Only one of them is named, but both are adopted.
    expect((await startReport(project, 'plain')).exitCode).toBe(0);
    expect(await pids()).toEqual(before);
    for (const one of project.oracle.processes()) await killAtOnce(one);
    expect(await inState(project, 'plain', 'failed')).toMatchObject({
      reason: 'ended, exit code unknown (it was taken over)',
      exit: { code: null, signal: null },
    });
    const healed = await until(async () => {
      const found = await inState(project, 'healing', 'ready');
      return found.pid !== before.get('healing') ? found : null;
    });
    expect(healed.restarts).toBe(1);
  },
);

fullTest('no service is started again while another command is at work', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper', [], { restart: { policy: 'always', backoff: 0 } }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const self = await openProcessTable().read(process.pid);
  if (!self) throw new Error('There is no process of our own');
  const lock = await acquireLock(projectFolder(project.root, project.file('.pids')), {
    identity: self.identity,
    command: 'test',
    isAlive: async () => true,
    waitMs: 5_000,
  });
  if (lock.kind !== 'held') throw new Error('The lock is not free');
  const [before] = project.oracle.processes();
  if (!before) throw new Error('There is no process of "web"');
  await killAtOnce(before);
  await inState(project, 'web', 'backoff');
  // The supervisor has tried several times meanwhile.
  for (let looks = 0; looks < 4; looks += 1) {
    const { report } = await statusReport(project);
    expect(report.services[0]).toMatchObject({ state: 'backoff', pid: null });
  }
  lock.release();
  expect(await inState(project, 'web', 'ready')).toMatchObject({ restarts: 1 });
});

test('start waits for a service that fails at first until the timeout of its readiness probe', async () => {
  await using project = await temporaryProject({
    services: {
      web: {
        command: 'exit 3',
        ready: { log: 'never', timeout: '500ms' },
        restart: { policy: 'on-failure', backoff: '10m' },
      },
      needy: service('sleeper', [], { dependsOn: ['web'] }),
    },
  });
  const { exitCode, report } = await startReport(project);
  expect(exitCode).toBe(1);
  const [web, needy] = ['web', 'needy'].map((name) =>
    report.services.find((one) => one.name === name),
  );
  expect(web).toMatchObject({ state: 'backoff', reason: expect.stringContaining('restart 1') });
  expect(needy).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('web, which ends again and again'),
  });
});
