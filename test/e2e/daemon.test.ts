import { expect } from 'vitest';
import { devctl, devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { killAtOnce, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Starts a server in a session of its own, and ends with success, as nginx and redis do when they become daemons. */
function daemon(port: number): readonly string[] {
  return [
    'sh',
    '-c',
    'setsid "$@" </dev/null & exit 0',
    'sh',
    ...fixture('tcp-server', String(port)),
  ];
}

const webOf = async (project: TemporaryProject) => (await statusReport(project)).report.services[0];

test('a command that leaves a daemon which answers is ready, also for another supervisor, and stop ends it', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: { web: { command: daemon(port), ports: [port] } },
  });
  const { exitCode, stderr } = await startReport(project);
  expect(exitCode, stderr).toBe(0);
  await until(async () => (await devctl(project, 'status')).stdout.includes('ready (daemon)'));
  const before = await webOf(project);
  expect(before).toMatchObject({ state: 'ready', daemon: true, orphans: 0, processes: 1 });
  await signalSupervisor(project, 'SIGKILL');
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
  const again = await startReport(project);
  expect(again.exitCode, again.stderr).toBe(0);
  expect(again.report.services[0]).toMatchObject({ alreadyRunning: true, pid: before?.pid });
  expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes()).toEqual([]);
});

fullTest(
  'a helper that a daemon began with may end, and the command of a probe is no daemon',
  async () => {
    const [port = 0] = await freePorts(1);
    const helped = `setsid sh -c 'until [ -e go ]; do sleep 0.1; done' & sleep 0.2; setsid ${fixture('tcp-server', String(port)).join(' ')} </dev/null & exit 0`;
    await using project = await temporaryProject({
      services: {
        web: { command: helped, ready: { tcp: port } },
        job: {
          command: 'sleep 0.2; exit 0',
          ready: { exec: 'test -e m && exit 0; touch m; sleep 2', timeout: '5s' },
          autostart: false,
        },
      },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    project.write('go', '');
    await until(() => project.oracle.processes().length === 1);
    await until(async () => (await webOf(project))?.processes === 1);
    await until(async () => (await webOf(project))?.state === 'ready');
    expect(await devctl(project, 'start', 'job')).toMatchObject({ exitCode: 1 });
  },
);

test('a command without a probe that leaves a process has failed, and is told what to do', async () => {
  await using project = await temporaryProject({
    services: { web: { command: 'sleep 1000 &' } },
    settle: '60s',
  });
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /web: its command ended and left sleep \(pid \d+\): drop the &, or give it a ready/,
  );
});

fullTest('a daemon whose command ended before ps could look at it', async () => {
  const env = { DEVCTL_PROCESS_TABLE: 'portable' };
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: {
      web: { command: daemon(port), ports: [port] },
      job: { command: ['sh', '-c', 'sleep 1000 & exit 0'], autostart: false },
      quick: { command: ['true'], settle: '60s', autostart: false },
    },
  });
  const start = await devctlWith(project, { env }, 'start');
  expect(start.exitCode, start.stderr).toBe(0);
  expect(start.stderr).not.toContain('looked at');
  const job = await devctlWith(project, { env }, 'start', 'job');
  expect(job).toMatchObject({ exitCode: 1 });
  expect(job.stderr).toMatch(/job: its command ended and left sleep \(pid \d+\): drop the &/);
  const quick = await devctlWith(project, { env }, 'start', 'quick');
  expect(quick).toMatchObject({ exitCode: 1 });
  expect(quick.stderr).toMatch(/quick: exited with code 0\n.*"oneShot": true/);
  expect(await devctlWith(project, { env }, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes()).toEqual([]);
});

fullTest('the end of a daemon is the end of its service', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: { web: { command: daemon(port), ports: [port] } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(
    async () => (await webOf(project))?.daemon && (await webOf(project))?.state === 'ready',
  );
  for (const one of project.oracle.processes()) await killAtOnce(one);
  await until(async () => (await webOf(project))?.state === 'failed');
  expect((await webOf(project))?.exit).toEqual({ code: null, signal: null });
});

fullTest('a daemon is a daemon again after a restart, and one restart is no loop', async () => {
  const [port = 0] = await freePorts(1);
  const helped = `setsid sleep 1 & setsid ${fixture('tcp-server', String(port)).join(' ')} </dev/null & exit 0`;
  await using project = await temporaryProject({
    services: { web: { command: helped, ports: [port], restart: 'always' } },
  });
  const isDaemon = async () => {
    const web = await webOf(project);
    return web?.daemon && web.state === 'ready' && web.processes === 1 ? web : null;
  };
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const first = await until(isDaemon);
  expect(await devctl(project, 'restart', 'web')).toMatchObject({ exitCode: 0 });
  const second = await until(isDaemon);
  expect(second).toMatchObject({ restarts: 0 });
  expect(second.pid).not.toBe(first.pid);
  for (const one of project.oracle.processes()) await killAtOnce(one);
  const third = await until(async () => {
    const web = await isDaemon();
    return web && web.pid !== second.pid ? web : null;
  });
  expect(third).toMatchObject({ restarts: 1 });
});
