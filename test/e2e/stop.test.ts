import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { hasControlGroups } from '../support/control-groups.ts';
import { devctl } from '../support/devctl.ts';
import { canBind, freePort } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { hasSubreaper, service, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

fullTest.each([
  ['fan', ['6'], 7],
  ['chain', ['4'], 4],
  ['own-session', [], 2],
  ['own-group', [], 2],
  ['double-fork', [], 2],
  ['fork-on-term', [], 1],
  ['stopped', [], 2],
  ['zombie-maker', [], 2],
])('stop ends %s %j', async (name, args, count) => {
  await using project = await temporaryProject({ services: { web: service(name, args) } });
  const started = await devctl(project, 'start');
  expect(started.exitCode, started.stderr).toBe(0);
  expect(project.oracle.processes().length).toBeGreaterThanOrEqual(count);
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.survivors).toEqual([]);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest.runIf(hasSubreaper).each(['double-fork', 'own-session'])(
  'stop ends %s --empty-env in another folder, which only the subreaper knows',
  async (name) => {
    await using project = await temporaryProject({
      services: { web: service(name, ['--empty-env']) },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.processes().length).toBe(2);
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(report.proof).toMatchObject({ strength: 'complete', why: null });
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest('stop ends a fork storm', async () => {
  await using project = await temporaryProject({
    services: { storm: service('fork-storm', ['60', '1000']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

test('stop ends the named services only; the others and the supervisor go on', async () => {
  const port = await freePort();
  const web = { command: fixture('tcp-server', String(port)), ports: [port], ready: { tcp: port } };
  await using project = await temporaryProject({
    services: { web, db: service('fan', ['2']), mail: service('fan', ['2']) },
    groups: { back: ['db', 'mail'] },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop', 'back')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes().length).toBe(1);
  expect(supervisorsOf(project).length).toBe(1);
  const status = await statusReport(project);
  expect(status.exitCode).toBe(3);
  const states = status.report.services.map(({ name, state }) => `${name} ${state}`);
  expect(states).toEqual(['web ready', 'db stopped', 'mail stopped']);
  expect(await devctl(project, 'stop', 'nobody')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('nobody'),
  });

  expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
  expect(await canBind(port)).toBe(true);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

test('dependents end before their dependencies are asked to', async () => {
  const journal = (name: string, dependsOn: readonly string[]) =>
    service('journal', ['journal', name, '0', '200'], { dependsOn });
  await using project = await temporaryProject({
    services: { db: journal('db', []), api: journal('api', ['db']), web: journal('web', ['api']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  const lines = readFileSync(project.file('journal'), 'utf8').trim().split('\n');
  const ends = ['web asked', 'web down', 'api asked', 'api down', 'db asked', 'db down'];
  expect(lines.slice(-6)).toEqual(ends);
});

test('services of one wave end side by side', async () => {
  // Each waits for the mark of the other before it ends; alone it would be killed. No program makes the mark, because the
  // stop asks that to end as well.
  const command = (own: string, other: string) =>
    `trap ': >${own}; while ! [ -e ${other} ]; do sleep 0.05; done; echo ${own} >> ended; exit' TERM;
     echo ready; while :; do sleep 0.05; done`;
  const ready = { log: '^ready$' };
  await using project = await temporaryProject({
    stopGrace: '10s',
    services: {
      left: { command: command('l', 'r'), ready },
      right: { command: command('r', 'l'), ready },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  const ended = readFileSync(project.file('ended'), 'utf8').trim().split('\n');
  expect(ended.sort()).toEqual(['l', 'r']);
});

test('stop --json says which processes ended, why they were ours, and how sure that is', async () => {
  const port = await freePort();
  const web = { command: fixture('tcp-server', String(port)), ports: [port], ready: { tcp: port } };
  await using project = await temporaryProject({ services: { web, fan: service('fan', ['2']) } });
  const { report: started } = await startReport(project);
  const webPid = started.services.find(({ name }) => name === 'web')?.pid;
  const [supervisor] = supervisorsOf(project);
  const isHeld = hasSubreaper || hasControlGroups;

  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report).toMatchObject({
    version: 1,
    kind: 'stop',
    project: project.root,
    forced: false,
    survivors: [],
    stale: [],
    problems: [],
    ports: [{ port, service: 'web', free: true, holder: null }],
    supervisor: { pid: supervisor?.pid, ended: true },
    proof: { strength: isHeld ? 'complete' : 'best-effort', scans: expect.any(Number) },
  });
  expect(report.proof.scans).toBeGreaterThanOrEqual(2);
  expect(report.processes.length).toBe(4);
  const [itself] = report.processes.filter(({ pid }) => pid === webPid);
  expect(itself).toMatchObject({ service: 'web', endedBy: 'SIGTERM' });
  expect(itself?.command).toContain('tcp-server.mjs');
  expect(itself?.evidence.map(({ kind }) => kind)).toContain('leader');
  expect(itself?.signals[0]).toBe('SIGTERM');
  expect(JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'))).toEqual(report);
  expect(readdirSync(project.file('.pids/services'))).toEqual([]);
  expect(existsSync(project.file('.pids/services.pids'))).toBe(false);
});

test('stop --dry-run lists everything with its evidence and signals nothing', async () => {
  await using project = await temporaryProject({
    services: { web: service('own-session'), fan: service('fan', ['2']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const before = project.oracle.everything().map(({ pid }) => pid);
  const { exitCode, report } = await stopReport(project, '--dry-run');
  expect(exitCode).toBe(0);
  expect(report.kind).toBe('dry-run');
  const services = project.oracle.processes().map(({ pid }) => pid);
  expect(report.processes.map(({ pid }) => pid).sort()).toEqual(services.sort());
  for (const { evidence } of report.processes) expect(evidence).not.toEqual([]);
  const { stdout } = await devctl(project, 'stop', '--dry-run');
  for (const pid of services) expect(stdout).toContain(String(pid));
  expect(stdout).not.toContain('leader');
  const why = (await devctl(project, 'stop', '--dry-run', '--why')).stdout;
  expect(why).toMatch(/^ *\d+ +web +leader\S* +SIGTERM +/m);
  expect(why).toMatch(/^ {2}cookie +its environment names the run$/m);
  expect(await devctl(project, 'stop', '--why')).toMatchObject({ exitCode: 2 });
  expect(project.oracle.everything().map(({ pid }) => pid)).toEqual(before);
});

test('stop --verbose shows each process, why it is ours, and what held it', async () => {
  await using project = await temporaryProject({ services: { fan: service('fan', ['2']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const pids = project.oracle.processes().map(({ pid }) => pid);
  const { stdout } = await devctl(project, 'stop', '--verbose');
  for (const pid of pids) expect(stdout).toMatch(new RegExp(`^ *${pid} +fan .*SIGTERM`, 'm'));
  expect(stdout).toMatch(/^ {2}found by .*; ended by SIGTERM \(/m);
  expect(stdout).toMatch(/^held by: subreaper (yes|no)/m);
});

test('stop succeeds when nothing runs, and leaves nothing behind', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  for (const args of [['stop'], ['stop', '--force'], ['stop', 'web'], ['stop', '--dry-run']]) {
    const { exitCode, stderr } = await devctl(project, ...args);
    expect(exitCode, stderr).toBe(0);
  }
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing was running'),
  });
});
