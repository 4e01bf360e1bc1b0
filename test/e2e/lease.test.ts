import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readHistory } from '../../src/history/read.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { guardsOf, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const MANIFEST = { services: { web: service('sleeper'), escaped: service('double-fork') } };

async function untilNothingRuns(project: TemporaryProject): Promise<void> {
  await until(
    () => project.oracle.everything().length === 0,
    () =>
      project.oracle
        .everything()
        .map(({ argv }) => argv.join(' '))
        .join('\n'),
  );
  expect(existsSync(project.file('.pids/lease.json'))).toBe(false);
}

function whyStopped(project: TemporaryProject) {
  const { why, survivors } = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
  return { why, survivors };
}

async function status(project: TemporaryProject) {
  return JSON.parse((await devctl(project, 'status', '--json')).stdout);
}

/** Starts a process that a lease can be bound to. */
function agent(project: TemporaryProject) {
  return spawn('sleep', ['120'], { cwd: '/', env: { ...project.env, PATH: process.env.PATH } });
}

fullTest('a lease is shown, lasts as long as its latest end, and goes with a stop', async () => {
  await using project = await temporaryProject(MANIFEST);
  const { stdout } = await devctl(project, 'start', '--ttl', '2h');
  expect(stdout).toMatch(/everything is stopped in 1 h 59 min/);
  expect((await devctl(project, 'status')).stdout).toMatch(/^lease: everything is stopped in 1 h/m);
  // A start without a lease leaves it, and a shorter lease does not shorten it.
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const json = JSON.parse((await devctl(project, 'start', '--ttl', '1s', '--json')).stdout);
  expect(json.leases).toMatchObject([{ processes: [] }]);
  expect(json.leases[0].endsInMs).toBeGreaterThan(6_000_000);
  expect((await status(project)).leases).toMatchObject([{ processes: [] }]);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(existsSync(project.file('.pids/lease.json'))).toBe(false);
  expect(whyStopped(project)).toEqual({ why: null, survivors: [] });
});

test('when the time of a lease is over everything is stopped, and the report says why', async () => {
  await using project = await temporaryProject(MANIFEST);
  // On a busy machine the lease ends before the start does, and the start gives way.
  await devctl(project, 'start', '--ttl', '1s');
  await untilNothingRuns(project);
  const why = 'the lease ended: --ttl 1s is over';
  expect(whyStopped(project)).toEqual({ why, survivors: [] });
  const { events } = readHistory(projectFolder(project.root, project.file('.pids')));
  expect(events.filter(({ kind }) => kind === 'lease')).toMatchObject([{ why }]);
  // The lease is gone: a service that is started now runs on.
  expect(await devctl(project, 'start', 'web')).toMatchObject({ exitCode: 0 });
  expect((await status(project)).leases).toEqual([]);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('a lease lasts while one of its processes lives, also under another supervisor; stop removes it', async () => {
  await using project = await temporaryProject(MANIFEST);
  const first = agent(project);
  const second = agent(project);
  const pids = [first.pid, second.pid].flatMap((pid) => ['--while-pid', String(pid)]);
  try {
    expect(await devctl(project, 'start', ...pids)).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(existsSync(project.file('.pids/lease.json'))).toBe(false);

    expect(await devctl(project, 'start', ...pids)).toMatchObject({ exitCode: 0 });
    first.kill('SIGKILL');
    await until(async () => (await status(project)).leases[0].processes.length === 1);
    await signalSupervisor(project, 'SIGKILL');
    expect(await devctl(project, 'start', 'web')).toMatchObject({ exitCode: 0 });
    expect(supervisorsOf(project)).toHaveLength(1);
    expect((await status(project)).leases).toMatchObject([{ processes: [{ pid: second.pid }] }]);
  } finally {
    second.kill('SIGKILL');
  }
  await untilNothingRuns(project);
  expect(whyStopped(project).why).toContain(
    `--while-pid ${first.pid} (sleep 120) and --while-pid ${second.pid}`,
  );
  const gone = await devctl(project, 'start', '--while-pid', String(second.pid));
  expect(gone).toMatchObject({ exitCode: 2 });
  expect(gone.stderr).toContain('there is no such process');
  expect(project.oracle.everything()).toEqual([]);
});

test('a start that the end of a lease has ended names it by its option', async () => {
  await using project = await temporaryProject({
    services: { slow: { command: 'exec sleep 100', ready: { tcp: 1, timeout: '2m' } } },
  });
  const { exitCode, stdout, stderr } = await devctl(project, 'start', '--ttl', '1s');
  expect(stderr).toContain('✗ slow: given up: the lease ended: --ttl 1s is over');
  expect(stdout).toContain('0 of 1 services were up when the start was given up');
  expect(exitCode).toBe(1);
  await untilNothingRuns(project);
});

fullTest('a lease that ended while no supervisor lived is honoured by the next start', async () => {
  await using project = await temporaryProject(MANIFEST);
  expect(await devctl(project, 'start', '--ttl', '2h')).toMatchObject({ exitCode: 0 });
  const before = project.oracle.processes().map(({ pid }) => pid);
  await signalSupervisor(project, 'SIGKILL');
  const record = JSON.parse(readFileSync(project.file('.pids/lease.json'), 'utf8'));
  record.leases[0].endsAtTicks = 1;
  project.write('.pids/lease.json', JSON.stringify(record));
  const told = await devctl(project, 'status');
  expect(told.stderr).toContain('the lease ended: --ttl 2h is over, but there was no supervisor');
  const { exitCode, stderr } = await devctlWith(project, {}, 'start', 'web');
  expect(stderr).toContain('the lease ended: --ttl 2h is over: stopping everything first');
  expect(exitCode).toBe(0);
  const after = project.oracle.processes().map(({ pid }) => pid);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  expect(after).toHaveLength(1);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(guardsOf(project)).toEqual([]);
});
