import { existsSync, realpathSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readHistory } from '../../src/history/read.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { bystander } from '../support/bystander.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { killAtOnce, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const server = (port: number) => fixture('tcp-server', String(port));

test('a service with ports is ready when it listens on them; told where it listens instead', async () => {
  const [here = 0, there = 0] = await freePorts(2);
  await using project = await temporaryProject({
    services: {
      right: { command: server(here).join(' '), ports: { web: here } },
      spawned: { command: 'exec sleep 1000', ports: [there], ready: 'spawned' },
    },
  });
  const { exitCode, report } = await startReport(project);
  expect(exitCode).toBe(0);
  expect(report.services.map(({ state }) => state)).toEqual(['ready', 'running']);
  project.write(
    '.devctl.json',
    JSON.stringify({
      services: { wrong: { command: server(there), ready: { ports: [1], timeout: '4s' } } },
    }),
  );
  const { exitCode: failed, stderr } = await devctl(project, 'start', 'wrong');
  expect(failed).toBe(1);
  expect(stderr).toContain(`! wrong listens on ${there}, not on 1`);
  expect(stderr).toContain('not ready after 4 s: port 1 is not listened on');
});

fullTest.each<[string, (port: number) => object]>([
  ['tcp', (port) => ({ tcp: port })],
  ['http', (port) => ({ http: `http://localhost:${port}/` })],
])('a server of somebody else makes no service ready: %s', async (_kind, probe) => {
  const [port = 0] = await freePorts(1);
  const ready = { ...probe(port), timeout: '8s' };
  await using project = await temporaryProject({
    services: { web: { command: 'touch spawned; exec sleep 1000', ready } },
  });
  // It is there before the start.
  {
    await using stranger = await bystander('node other.js', '/', port);
    const { exitCode, stderr } = await devctl(project, 'start');
    expect([exitCode, stranger.alive()]).toEqual([5, true]);
    expect(stderr).toContain(`port ${port} is held by node other.js`);
    expect(stderr).toContain('"owner": "any"');
  }
  // It comes after the spawn.
  const start = startDevctl(project, {}, 'start');
  await until(() => existsSync(project.file('spawned')));
  const stranger = createServer((_request, response) => response.end()).listen(port, '127.0.0.1');
  const { exitCode, stderr } = await start;
  stranger.close();
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toContain(`(pid ${process.pid}), which is not of this project`);
});

fullTest('with "owner": "any" the answer of anybody counts', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: {
      tunnel: { command: 'exec sleep 1000', ready: { tcp: port, owner: 'any' } },
    },
  });
  await using _gateway = await bystander('node gateway.js', '/', port);
  const { exitCode, report } = await startReport(project);
  expect([exitCode, report.services[0]?.state]).toEqual([0, 'ready']);
});

test('a server of another service of the project may answer', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: {
      gateway: { command: server(port), ports: [port] },
      web: { command: 'exec sleep 1000', ready: { tcp: port }, dependsOn: ['gateway'] },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
});

/** A leader that lives on while its server is closed and opened again, as under `tsx watch`. */
const RELOADING = (port: number) => `
  const { existsSync } = require('node:fs');
  const { createServer } = require('node:net');
  let server = null;
  setInterval(() => {
    const wanted = !existsSync('close');
    if (wanted && !server) server = createServer().listen(${port}, '127.0.0.1');
    if (!wanted && server) server = server.close() && null;
  }, 50);`;

test('a port that is closed is seen: by status at once, by the supervisor within 15 s, and nothing is restarted', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: {
      web: { command: ['node', '-e', RELOADING(port)], ports: [port], restart: 'always' },
    },
  });
  const web = async () => (await statusReport(project)).report.services[0];
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const before = await web();
  project.write('close', '');
  await until(async () => (await web())?.reason === `port ${port} is not listened on now`);
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
  await until(async () => (await web())?.reason === `port ${port} is not listened on any more`);
  await devctl(project, 'run', '--', 'rm', 'close');
  await until(async () => (await web())?.state === 'ready');
  expect(await web()).toMatchObject({ pid: before?.pid, restarts: 0 });
});

test('status shows each port that a service listens on, by name, and those that nobody listens on', async () => {
  const [own = 0, other = 0, closed = 0] = await freePorts(3);
  const listens = `require('net').createServer().listen(${own}, '0.0.0.0'); require('net').createServer().listen(${other}, '127.0.0.1')`;
  await using project = await temporaryProject({
    services: {
      web: {
        command: ['node', '-e', listens],
        ports: { http: own, debug: closed },
        ready: { ports: [own] },
      },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(async () => (await devctl(project, 'status')).stdout.includes(String(other)));
  const { report } = await statusReport(project);
  expect(report.services[0]?.listening).toEqual([
    { port: own, address: '0.0.0.0', protocol: 'tcp', name: 'http', declared: true, open: true },
    { port: closed, address: null, protocol: 'tcp', name: 'debug', declared: true, open: false },
    { port: other, address: '127.0.0.1', protocol: 'tcp', name: null, declared: false, open: true },
  ]);
  const { stdout } = await devctl(project, 'status');
  expect(stdout).toContain(`0.0.0.0:${own} ${closed} (closed) ${other}`);
});

const SERVER = (port: number): string =>
  `import { createServer } from 'node:http'; createServer().listen(${port});`;

/** A service that restarts its server at a change: how it is started, and the file whose change starts the server again. */
const watched = (command: string | readonly string[], file: string) => ({ command, file });
const shape = (name: string) => watched(fixture('watcher', name, './server.mjs'), 'watched');

fullTest.each([
  ['node --watch', watched('node --watch server.mjs', 'server.mjs')],
  ['nodemon and ts-node-dev', shape('fork')],
  ['nodemon --exec', shape('shell')],
  ['tsx watch', shape('ipc')],
  ['nx', shape('runner')],
])(
  'a server that was killed is seen, although its leader lives on: %s',
  async (_name, { command, file }) => {
    const [port = 0] = await freePorts(1);
    await using project = await temporaryProject(
      { services: { web: { command, ports: [port] } } },
      { 'server.mjs': SERVER(port), watched: '' },
    );
    const web = async () => (await statusReport(project)).report.services[0];
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const before = await web();
    const server = await until(() =>
      project.oracle
        .processes()
        .find(({ argv }) => argv.length === 2 && argv[1]?.endsWith('server.mjs')),
    );
    const killedAtMs = Date.now();
    await killAtOnce(server);
    expect((await devctl(project, 'status')).exitCode).toBe(3);
    await until(async () => (await web())?.reason === `port ${port} is not listened on any more`);
    // The history is written a moment later.
    const seen = await until(() =>
      readHistory(projectFolder(project.root)).events.find(
        (event) => event.kind === 'change' && event.to === 'unhealthy',
      ),
    );
    // 15 s, and as much again for a machine that is busy with other tests.
    expect(seen.atMs - killedAtMs).toBeLessThan(30_000);
    expect(await web()).toMatchObject({ state: 'unhealthy', pid: before?.pid, restarts: 0 });
    project.write(file, `${SERVER(port)} // 2`);
    await until(async () => (await web())?.state === 'ready');
  },
);

fullTest(
  'a Vite that was killed below npm is seen at once, because its leader ends with it',
  async () => {
    const [port = 0] = await freePorts(1);
    const vite = join(repositoryRoot, 'node_modules', 'vite', 'bin', 'vite.js');
    const dev = `node ${realpathSync(vite)} --host 127.0.0.1 --strictPort --port ${port}`;
    await using project = await temporaryProject(
      { services: { web: { command: 'npm run dev', ports: [port] } } },
      { 'package.json': JSON.stringify({ scripts: { dev } }), 'index.html': '<h1>hello</h1>' },
    );
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const server = project.oracle.processes().find(({ argv }) => argv[1]?.endsWith('vite.js'));
    if (!server) throw new Error('no vite');
    await killAtOnce(server);
    await until(async () => (await statusReport(project)).report.services[0]?.state === 'failed');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.processes()).toEqual([]);
  },
);

fullTest(
  'a stranger on the port of a service makes it not ready, also without a supervisor',
  async () => {
    const [port = 0] = await freePorts(1);
    await using project = await temporaryProject({
      services: {
        web: { command: `${server(port).join(' ')} & wait; exec sleep 1000`, ports: [port] },
      },
    });
    await using outside = await temporaryProject();
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
    const ours = project.oracle.processes().find(({ argv }) => argv.includes(String(port)));
    await killAtOnce(ours ?? expect.fail('no server'));
    await using _stranger = await bystander('node server.js', outside.root, port);
    await until(async () => (await devctl(project, 'status')).exitCode === 3);
  },
);

fullTest('a restart by policy that fails of a stranger on the port names it', async () => {
  const [port = 0] = await freePorts(1);
  const script = `require('net').createServer().listen(${port}, '127.0.0.1');
    setInterval(() => require('fs').existsSync('go') && process.exit(1), 50);`;
  await using project = await temporaryProject({
    services: {
      web: {
        command: ['node', '-e', script],
        ports: [port],
        restart: { policy: 'on-failure', maxRestarts: 1, backoff: '3s' },
      },
    },
  });
  await using outside = await temporaryProject();
  const web = async () => (await statusReport(project)).report.services[0];
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('go', '');
  await until(async () => (await web())?.state === 'backoff');
  await using stranger = await bystander('node server.js', outside.root, port);
  await until(async () => (await web())?.state === 'failed');
  expect((await web())?.reason).toContain(
    `exited with code 1 before it was ready: port ${port} is held by`,
  );
  expect((await web())?.reason).toContain(`(pid ${stranger.pid})`);
});

fullTest(
  'a stranger on the Unix socket that a probe asks is named, and nothing is started',
  async () => {
    await using outside = await temporaryProject();
    const path = outside.file('w.sock');
    const listens = `require('http').createServer((_, to) => to.end()).listen(${JSON.stringify(path)})`;
    await using neighbour = await temporaryProject({
      services: { other: { command: ['node', '-e', listens], ready: { tcp: `unix:${path}` } } },
    });
    expect(await devctl(neighbour, 'start')).toMatchObject({ exitCode: 0 });
    const web = { command: 'exec sleep 1000', ready: { http: `http://unix:${path}:/` } };
    await using project = await temporaryProject({ services: { web } });
    const refused = await devctl(project, 'start');
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain(`web: ${path} is held by node -e`);
    expect(project.oracle.processes()).toEqual([]);
    const anybodys = { ...web, ready: { ...web.ready, owner: 'any' } };
    project.write('.devctl.json', JSON.stringify({ services: { web: anybodys } }));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  },
);

fullTest.each([false, true])(
  'a service whose port is closed is not called up by the next start (supervisor killed: %s)',
  async (killed) => {
    const [port = 0] = await freePorts(1);
    const web = `until [ -e broken ]; do ${server(port).join(' ')}; done; exec sleep 1000`;
    await using project = await temporaryProject({
      services: {
        web: { command: web, ready: { tcp: port, timeout: '3s' } },
        dependent: { command: 'exec sleep 1000', dependsOn: ['web'], autostart: false },
      },
    });
    const listener = () => project.oracle.processes().find(({ argv }) => argv.includes(`${port}`));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    project.write('broken', '');
    const first = listener();
    if (first) await killAtOnce(first);
    if (killed) await signalSupervisor(project, 'SIGKILL');
    const { exitCode, stderr } = await devctl(project, 'start', 'dependent');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`port ${port} is not listened on`);
    const states = (await statusReport(project)).report.services.map(({ state }) => state);
    expect(states).toEqual(['unhealthy', 'failed']);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);
