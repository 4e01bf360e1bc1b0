import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readHistory } from '../../src/history/read.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { readSupervisor } from '../../src/project/supervisor-record.ts';
import { bystander } from '../support/bystander.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { killAtOnce, service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

async function statusOf(project: TemporaryProject, name: string) {
  const { report } = await statusReport(project);
  const found = report.services.find((one) => one.name === name);
  if (!found) throw new Error(`${name} is not in the status`);
  return found;
}

/** How many breaches of a service the history has. */
function breachesOf(project: TemporaryProject, name: string): number {
  const { events } = readHistory(projectFolder(project.root, project.file('.pids')));
  return events.filter((event) => event.kind === 'breach' && event.breach.service === name).length;
}

test('a service beyond its limits gets a warning, an end or a restart, and its branch is named', async () => {
  await using project = await temporaryProject({
    limits: { processes: 8 },
    services: {
      plain: service('sleeper'),
      fan: service('fan', ['6'], { limits: { processes: 4 } }),
      short: service('fan', ['2'], { limits: { runtime: '1s', action: 'stop' } }),
      leak: service('grower', ['300'], {
        limits: { memory: '150MB', action: 'restart' },
        restart: { policy: 'no', maxRestarts: 1, backoff: '50ms' },
      }),
      quiet: {
        command: 'echo hello; exec sleep 100',
        limits: { idle: '1s', action: 'stop' },
      },
      talks: {
        command: 'while :; do echo hello; sleep 0.2; done',
        limits: { idle: '1s', action: 'stop' },
      },
      files: { command: 'ulimit -n; exec sleep 100', limits: { openFiles: 123, core: 0 } },
    },
  });
  await using lookAlike = await bystander('node fan.mjs 6', project.root);
  // On a busy machine the service that may run for a second has ended before the last service is up.
  await startReport(project);
  const plain = await statusOf(project, 'plain');
  expect(plain.state).toBe('ready');

  await until(async () => (await statusOf(project, 'leak')).restarts === 1);
  await until(() => breachesOf(project, 'leak') === 2);
  // In steps, because the proof takes several looks, and each takes long where it runs ps or lsof.
  await until(async () => (await statusOf(project, 'leak')).processes === 0);
  await until(async () => (await statusOf(project, 'leak')).state === 'failed');
  expect(await statusOf(project, 'leak')).toMatchObject({
    restarts: 1,
    processes: 0,
    reason: expect.stringMatching(
      /^used [\d.]+ MB, limit 150 MB; most of it below .*grower.* \(pid \d+\): 1 process, .*; given up after 1 restart within 10 min$/,
    ),
  });
  expect(await statusOf(project, 'short')).toMatchObject({
    state: 'failed',
    processes: 0,
    reason: expect.stringMatching(/^ran for [\d.]+ m?s, limit 1 s$/),
  });
  expect(await statusOf(project, 'quiet')).toMatchObject({
    state: 'failed',
    reason: expect.stringMatching(/^no output and no cpu for [\d.]+ m?s, limit 1 s$/),
  });
  expect(await statusOf(project, 'plain')).toMatchObject({ pid: plain.pid, state: 'ready' });
  expect((await statusOf(project, 'talks')).state).toBe('running');
  expect(readFileSync(project.file('.pids/logs/files.log'), 'utf8')).toBe('123\n');

  const { report, stderr } = await statusReport(project);
  const fan = report.services.find(({ name }) => name === 'fan');
  expect(fan).toMatchObject({ state: 'ready', processes: 7 });
  expect(report.breaches).toEqual([
    expect.objectContaining({
      service: 'fan',
      limit: 'processes',
      allowed: 4,
      action: 'warn',
      branch: expect.objectContaining({ pid: fan?.pid }),
    }),
    expect.objectContaining({ service: null, limit: 'processes', allowed: 8 }),
  ]);
  // On a busy machine it is seen while it still grows, and a little more is no news.
  const [{ value = 0, branch = null } = {}] = report.breaches;
  expect([5, 6, 7]).toContain(value);
  expect(branch?.processes).toBe(value);
  expect(stderr).toBe('');
  expect((await devctl(project, 'status')).stderr).toMatch(
    /! over its limit: fan: ([567]) processes, limit 4; most of it below .*fan.* \(pid \d+\): \1 processes/,
  );
  expect(breachesOf(project, 'fan')).toBe(1);

  const stopped = await stopReport(project);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(stopped.report.survivors).toEqual([]);
  expect(project.oracle.processes()).toEqual([]);
  expect(lookAlike.alive()).toBe(true);
  expect(existsSync(project.file('.pids/breaches.json'))).toBe(false);
});

fullTest(
  'new limits hold for running services, also for adopted ones; limits of the project end everything',
  async () => {
    const services = (limits: object) => ({
      plain: service('sleeper'),
      fan: service('fan', ['3'], { limits }),
    });
    await using project = await temporaryProject({ services: services({}) });
    expect((await startReport(project)).exitCode).toBe(0);
    const { pid } = await statusOf(project, 'fan');

    project.write('.devctl.json', JSON.stringify({ services: services({ processes: 3 }) }));
    expect((await startReport(project, 'plain')).exitCode).toBe(0);
    await until(async () => (await statusReport(project)).report.breaches.length === 1);
    expect((await statusOf(project, 'fan')).pid).toBe(pid);

    await signalSupervisor(project, 'SIGKILL');
    expect((await statusReport(project)).report.breaches).toEqual([]);
    const all = { services: services({}), limits: { processes: 4, action: 'stop' } };
    project.write('.devctl.json', JSON.stringify(all));
    expect((await startReport(project, 'plain')).exitCode).toBe(0);
    await until(() => project.oracle.everything().length === 0);
    const last = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
    expect(last).toMatchObject({
      why: expect.stringMatching(
        /^all services together 5 processes, limit 4; most of it below .*fan/,
      ),
      survivors: [],
    });
    expect(readSupervisor(projectFolder(project.root, project.file('.pids'))).kind).toBe('missing');
  },
);

fullTest(
  'run ends a command beyond its limits, names the branch, and warns about the limits of the project',
  async () => {
    await using project = await temporaryProject({
      services: { web: service('sleeper') },
    });
    await using lookAlike = await bystander('node fan.mjs 6', project.root);
    expect((await startReport(project)).exitCode).toBe(0);
    const limited = await devctl(
      project,
      'run',
      '--max-processes',
      '4',
      '--',
      ...fixture('fan', '6'),
    );
    expect(limited.exitCode, limited.stderr).toBe(124);
    expect(limited.stderr).toMatch(
      /over its limit: run-node: ([567]) processes, limit 4; most of it below .*fan.* \(pid \d+\): \1 processes, .*: ending everything/,
    );
    const idle = await devctl(project, 'run', '--idle', '1s', '--json', '--', 'sleep', '60');
    expect(idle.exitCode).toBe(124);
    expect(JSON.parse(idle.stderr.split('\n').at(-1) ?? '')).toMatchObject({
      cause: 'limit',
      breach: { limit: 'idle', allowed: 1_000, action: 'stop', branch: null },
      survivors: [],
    });
    // A limit of the project is only a warning for a one-off.
    project.write(
      '.devctl.json',
      JSON.stringify({
        limits: { processes: 4, action: 'stop' },
        services: { web: service('sleeper') },
      }),
    );
    const command = 'for i in 1 2 3 4; do sleep 60 & done; wait';
    const warned = startDevctl(project, {}, 'run', '--', 'sh', '-c', command);
    let told = '';
    warned.stderr.on('data', (chunk) => {
      told += chunk;
    });
    await until(
      () => /over its limit: run-sh: 5 processes, limit 4/.test(told),
      () => told,
    );
    // A child counts from its fork, and is the program "sleep" only from its exec.
    const sleepers = await until(() => {
      const found = project.oracle.processes().filter(({ argv }) => argv.join(' ') === 'sleep 60');
      return found.length === 4 ? found : null;
    });
    for (const sleeper of sleepers) await killAtOnce(sleeper);
    expect((await warned).exitCode).toBe(0);
    expect(lookAlike.alive()).toBe(true);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.processes()).toEqual([]);
  },
);

fullTest('up reports a breach while it happens', async () => {
  await using project = await temporaryProject({
    services: { fan: service('fan', ['3'], { limits: { processes: 3 } }) },
  });
  const env = { FORCE_COLOR: '1' };
  const up = startDevctl(project, { env }, 'up', '--color');
  let said = '';
  up.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await until(
    () => said.includes('over its limit'),
    () => said,
  );
  const esc = String.fromCharCode(27);
  expect(said).toContain(
    `${esc}[33m!${esc}[39m over its limit: fan: 4 processes, limit 3; most of it`,
  );
  up.kill('SIGINT');
  expect((await up).exitCode).toBe(130);
  expect(project.oracle.processes()).toEqual([]);
});
