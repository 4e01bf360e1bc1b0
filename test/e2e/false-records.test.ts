import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { openHost } from '../../src/processes/real-host.ts';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import { killAtOnce, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const RECORD = '.pids/services/web.json';

/** The start time as devctl reads it, so that only the pid in the record is false. */
async function startTicksOf(pid: number): Promise<number> {
  const snapshot = await openHost(openProcessTable()).snapshot();
  return snapshot.byPid.get(pid)?.identity.startTicks ?? expect.fail(`no process ${pid}`);
}

function readRecord(project: TemporaryProject) {
  return JSON.parse(readFileSync(project.file(RECORD), 'utf8'));
}

test('a record with the pid of a bystander is reported as stale, and the bystander is not signalled', async () => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  await using elsewhere = await temporaryProject();
  await using stranger = await bystander('node server.js', elsewhere.root);
  await using neighbour = await bystander('node server.js', project.root);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });

  for (const victim of [stranger, neighbour]) {
    const record = readRecord(project);
    project.write(
      RECORD,
      JSON.stringify({ ...record, leader: { ...record.leader, pid: victim.pid } }),
    );
    const status = await statusReport(project);
    expect(status.report.stale).toMatchObject([{ service: 'web' }]);
    const named = await devctl(project, 'stop', '--dry-run');
    expect(named.stdout).not.toMatch(new RegExp(`^ *${victim.pid} `, 'm'));
  }
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.stale).toMatchObject([{ service: 'web', detail: expect.any(String) }]);
  expect(report.processes.map(({ pid }) => pid)).not.toContain(neighbour.pid);
  expect(project.oracle.processes()).toEqual([]);
  expect([stranger.alive(), neighbour.alive()]).toEqual([true, true]);
});

fullTest.each(['stop', 'start'])(
  'a supervisor.json that names a bystander does no harm to it: %s',
  async (command) => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    await using stranger = await bystander('node server.js', project.root);
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const path = '.pids/supervisor.json';
    const record = JSON.parse(readFileSync(project.file(path), 'utf8'));
    await signalSupervisor(project, 'SIGKILL');
    const { pid } = stranger;
    const startTicks = await startTicksOf(pid);
    const identity = { ...record.identity, pid, startTicks };
    project.write(path, JSON.stringify({ ...record, identity }));

    expect(await devctl(project, command)).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
    expect(stranger.alive()).toBe(true);
    expect([...project.oracle.processes(), ...supervisorsOf(project)]).toEqual([]);
  },
);

fullTest.each(['stop', 'start'])(
  'a record of an earlier boot with the pid of a bystander does no harm to it: %s',
  async (command) => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const record = readRecord(project);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    await using stranger = await bystander('node server.js', project.root);
    const bootId = '00000000-0000-4000-8000-000000000000';
    const leader = { ...record.leader, pid: stranger.pid, bootId };
    project.write(RECORD, JSON.stringify({ ...record, bootId, leader }));

    const { exitCode, stderr } = await devctl(project, command);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('the record of web is stale');
    expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
    expect(stranger.alive()).toBe(true);
    expect(project.oracle.processes()).toEqual([]);
  },
);

const DAMAGES: [string, string][] = [
  ['cut short', '{"schema":1,"serv'],
  ['empty', ''],
  ['of another shape', '[1,2,3]'],
];
const damaged = { web: service('own-session'), db: service('fan', ['2']) };

eachMode(DAMAGES)(
  'stop sets a record aside that is %s, and ends its processes',
  async (_how, text) => {
    await using project = await temporaryProject({ services: damaged });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    project.write(RECORD, text);
    const status = await statusReport(project);
    expect(status.report.problems.join('\n')).toContain('web.json');
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(report.problems.join('\n')).toContain('web.json');
    expect(project.oracle.everything()).toEqual([]);
    const aside = readdirSync(project.file('.pids/services'));
    expect(aside).toEqual([expect.stringMatching(/^web\.json\.corrupt-/)]);
  },
);

eachMode(DAMAGES)(
  'a record that is %s costs nothing while the supervisor knows better',
  async (_how, text) => {
    await using project = await temporaryProject({ services: damaged });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    project.write(RECORD, text);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);

test('stop ends what the files of an old start-dev.sh name', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  await using elsewhere = await temporaryProject();
  await using stranger = await bystander('node server.js', elsewhere.root);
  const [command = '', ...args] = fixture('fan', '3');
  const env = { ...cleanEnvironment(), ...project.env };
  const old = spawn(command, args, { cwd: project.root, env, stdio: 'ignore', detached: true });
  await until(() => project.oracle.processes().length === 4);
  project.write('.pids/services.pids', `${old.pid}\n${stranger.pid}\n`);
  project.write(
    '.pids/services.pids.groups',
    `PGID:orchestrator:${old.pid}\nPGID:web:${stranger.pid}\n`,
  );
  project.write('.pids/services.pids.services', `orchestrator:${old.pid}\nweb:${stranger.pid}\n`);

  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.processes.map(({ pid }) => pid)).toContain(old.pid);
  expect(project.oracle.processes()).toEqual([]);
  expect(stranger.alive()).toBe(true);
});

test('stop ends a listed process group although its leader has died', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const [command = '', ...args] = fixture('fan', '3');
  const env = { ...cleanEnvironment(), ...project.env };
  const old = spawn(command, args, { cwd: project.root, env, stdio: 'ignore', detached: true });
  await until(() => project.oracle.processes().length === 4);
  project.write('.pids/services.pids.groups', `PGID:web:${old.pid}\n`);
  const leader = project.oracle.processes().find(({ pid }) => pid === old.pid);
  if (!leader) throw new Error('no leader');
  await killAtOnce(leader);
  expect(project.oracle.processes().length).toBe(3);

  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.processes.map(({ service: name }) => name)).toEqual(['web', 'web', 'web']);
  expect(project.oracle.processes()).toEqual([]);
});

fullTest('start writes the files of an old start-dev.sh', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const [web] = project.oracle.processes();
  const read = (name: string) => readFileSync(project.file(`.pids/${name}`), 'utf8');
  expect(read('services.pids')).toBe(`${web?.pid}\n`);
  expect(read('services.pids.groups')).toBe(`PGID:web:${web?.pid}\n`);
  expect(read('services.pids.services')).toBe(`web:${web?.pid}\n`);
});
