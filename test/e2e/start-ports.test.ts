import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { canBind, freePort } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { killAtOnce, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('start names the bystander that holds a port, and starts nothing', async () => {
  const port = await freePort();
  await using project = await temporaryProject({
    services: {
      a: service('sleeper'),
      web: { command: fixture('tcp-server', String(port)), ports: [port], ready: { tcp: port } },
    },
  });
  // This test holds the port.
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { exitCode, stderr } = await devctl(project, 'start');
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`web: port ${port} is held by`);
    expect(stderr).toContain(`pid ${process.pid}`);
    expect(stderr).toContain('vitest');
    expect(stderr).toContain(` in ${process.cwd()}`);
    expect(stderr).toContain(`, of ${userInfo().username}`);
    const lines = readFileSync(project.file('.devctl.json'), 'utf8').split('\n');
    const line = lines.findIndex((text) => text.includes('"ports"')) + 1;
    expect(stderr).toContain(
      `→ kill ${process.pid}; or choose another port (.devctl.json:${line}); nothing`,
    );
    expect(project.oracle.everything()).toEqual([]);
  } finally {
    server.close();
    await once(server, 'close');
  }
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
});

test('a UDP port must be free before the start, is shown, is not waited for, and is free after the stop', async () => {
  const holder = createSocket('udp4').bind(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address();
  const program = `require('dgram').createSocket('udp4').bind(${port}, '127.0.0.1')`;
  await using project = await temporaryProject({
    services: {
      metrics: { command: [process.execPath, '-e', program], ports: { statsd: `${port}/udp` } },
      // Never takes it.
      idle: { ...service('sleeper'), ports: [`${port === 65_535 ? 1 : port + 1}/udp`] },
    },
  });
  try {
    const { exitCode, stderr } = await devctl(project, 'start', 'metrics');
    expect(stderr).toContain(`metrics: port ${port}/udp is held by`);
    expect(stderr).toContain(`pid ${process.pid}`);
    expect(exitCode).toBe(5);
  } finally {
    holder.close();
    await once(holder, 'close');
  }
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(async () => {
    const { report } = await statusReport(project);
    const [metrics, idle] = report.services;
    expect(metrics?.listening).toMatchObject([
      { port, protocol: 'udp', name: 'statsd', declared: true, open: true, address: '127.0.0.1' },
    ]);
    expect(metrics).toMatchObject({ state: 'running', ports: [], udpPorts: [port] });
    expect(idle).toMatchObject({ listening: [{ protocol: 'udp', open: false }] });
    return true;
  });
  const { stdout } = await devctl(project, 'status');
  expect(stdout).toMatch(new RegExp(` ${port}/udp `));
  expect(stdout).toContain('/udp (closed)');
  const stop = await devctl(project, 'stop');
  expect(stop.stdout).toContain(`${port}/udp`);
  expect(stop).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/ports .* free/) });
});

fullTest('start takes back a port from a process that an earlier run has left', async () => {
  const port = await freePort();
  const server = fixture('tcp-server', String(port)).join(' ');
  await using project = await temporaryProject({
    // The shell stays above its server, so that the shell can be killed alone.
    services: { web: { command: `${server}; true`, ports: [port], ready: { tcp: port } } },
  });
  const first = await startReport(project);
  expect(first.exitCode).toBe(0);
  const leader = project.oracle
    .processes()
    .find(({ pid }) => pid === first.report.services[0]?.pid);
  if (!leader) throw new Error('no leader');
  await killAtOnce(leader);
  expect(await canBind(port)).toBe(false);

  const second = await startReport(project);
  expect(second).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('left over') });
  expect(project.oracle.processes().length).toBe(2);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(await canBind(port)).toBe(true);
});

fullTest(
  'a service that was renamed in the manifest is told that its old run holds its port',
  async () => {
    const port = await freePort();
    const web = {
      command: fixture('tcp-server', String(port)),
      ports: [port],
      ready: { tcp: port },
    };
    await using project = await temporaryProject({ services: { web } });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    project.write('.devctl.json', JSON.stringify({ services: { site: web } }));
    // It still runs under its old name. devctl says so and does not end it.
    const { exitCode, stderr } = await devctl(project, 'start');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('our own service web');
    expect(stderr).toContain('→ npx --no-install devctl stop web; or choose another port');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.processes()).toEqual([]);
  },
);

fullTest(
  'start adopts services whose supervisor was killed, and does not start them again',
  async () => {
    const port = await freePort();
    await using project = await temporaryProject({
      services: {
        web: { command: fixture('tcp-server', String(port)), ports: [port], ready: { tcp: port } },
        fan: service('fan', ['3']),
      },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const before = project.oracle.processes().map(({ pid }) => pid);
    const killed = await signalSupervisor(project, 'SIGKILL');

    const { exitCode, report } = await startReport(project);
    expect(exitCode).toBe(0);
    expect(report.services.map(({ alreadyRunning }) => alreadyRunning)).toEqual([true, true]);
    expect(project.oracle.processes().map(({ pid }) => pid)).toEqual(before);
    const [supervisor] = supervisorsOf(project);
    expect(supervisor?.pid).not.toBe(killed.pid);
    expect(await statusReport(project)).toMatchObject({
      exitCode: 0,
      report: { supervisor: { pid: supervisor?.pid }, orphans: [] },
    });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);
