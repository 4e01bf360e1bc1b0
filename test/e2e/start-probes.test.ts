import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import { eachMode, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('start waits for every kind of readiness probe', async () => {
  const [http = 0, tcp = 0] = await freePorts(2);
  const url = `http://127.0.0.1:${http}`;
  await using project = await temporaryProject({
    services: {
      http: {
        command: fixture('http-server', String(http), '200'),
        ports: [http],
        ready: { http: `${url}/api/v1/health`, status: 200, body: 'healthy', interval: '50ms' },
      },
      status: {
        command: fixture('sleeper'),
        ready: { http: `${url}/nothing`, status: [404], interval: '50ms' },
      },
      tcp: { command: fixture('tcp-server', String(tcp)), ports: [tcp], ready: { tcp } },
      log: { command: fixture('logger', 'listening on 7'), ready: { log: 'listening on \\d' } },
      exec: { command: 'touch here && exec sleep 100', ready: { exec: ['test', '-f', 'here'] } },
      delay: { command: fixture('sleeper'), ready: { delay: '100ms' } },
      none: { command: fixture('sleeper') },
    },
  });
  const { exitCode, report, stderr } = await startReport(project);
  expect(exitCode, stderr).toBe(0);
  const states = Object.fromEntries(report.services.map(({ name, state }) => [name, state]));
  const ready = ['http', 'status', 'tcp', 'log', 'exec', 'delay'];
  expect(states).toEqual({
    none: 'running',
    ...Object.fromEntries(ready.map((name) => [name, 'ready'])),
  });
});

eachMode([
  ['log', { log: '^never$', timeout: '700ms' }, 'never'],
  ['exec', { exec: 'exit 9', timeout: '700ms' }, '9'],
  // The server has to come up meanwhile, on a busy machine too, because the last failure is shown.
  ['body', { http: 'PORT/api/v1/health', body: 'splendid', timeout: '10s' }, 'splendid'],
  ['status', { http: 'PORT/api/v1/health', status: 500, timeout: '10s' }, '200'],
])(
  'a %s probe that never succeeds makes the service unhealthy, and it goes on running',
  async (_kind, probe, why) => {
    const [port = 0] = await freePorts(1);
    const ready = JSON.parse(
      JSON.stringify({ ...probe, interval: '50ms' }).replace('PORT', `http://127.0.0.1:${port}`),
    );
    await using project = await temporaryProject({
      services: { web: { command: fixture('http-server', String(port)), ready } },
    });
    const { exitCode, stderr, stdout } = await devctl(project, 'start');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('unhealthy');
    expect(stderr).toContain(why);
    expect(stdout).toContain('0 of 1 services are up');
    expect(project.oracle.processes().length).toBe(1);
    const status = await statusReport(project);
    expect(status.exitCode).toBe(3);
    expect(status.report.services).toMatchObject([{ name: 'web', state: 'unhealthy' }]);
  },
);

test('old output in the log makes no service ready', async () => {
  await using project = await temporaryProject(
    { services: { web: { command: 'cat line; exec sleep 100', ready: { log: '^up$' } } } },
    { line: 'up\n' },
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  project.write('line', 'down\n');
  const manifest = {
    command: 'cat line; exec sleep 100',
    ready: { log: '^up$', timeout: '500ms' },
  };
  project.write('.devctl.json', JSON.stringify({ services: { web: manifest } }));
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 1 });
});
