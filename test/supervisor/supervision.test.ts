import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openProcessTable } from '../../src/processes/table.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { acquireLock } from '../../src/project/lock.ts';
import { readRecords } from '../../src/project/records.ts';
import { connectTo } from '../../src/supervisor/client.ts';
import type { SupervisorEvent } from '../../src/supervisor/protocol.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { statusReport } from '../support/reports.ts';
import { killAtOnce, service } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

function socketOf(project: TemporaryProject): string {
  return JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8')).socket;
}

/** One request over the socket; resolves when its answer begins. */
async function call(socketPath: string, method: string, path: string, body = '') {
  const outgoing = request({ socketPath, method, path, agent: false });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return answer;
}

async function stateOf(project: TemporaryProject, name: string): Promise<string | undefined> {
  const { report } = await statusReport(project);
  return report.services.find((one) => one.name === name)?.state;
}

const everything = JSON.stringify({ force: false, graceMs: null, sweep: null });

test('a stop that fails leaves the supervisor on watch', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const socket = socketOf(project);
  const self = (await openProcessTable().read(process.pid))?.identity;
  if (!self) throw new Error('There is no process of our own');
  const folder = projectFolder(project.root, project.file('.pids'));
  const lock = await acquireLock(folder, {
    identity: self,
    command: 'stop',
    isAlive: async () => true,
    waitMs: 0,
  });
  if (lock.kind === 'busy') throw new Error('The lock is not free');
  try {
    const sweep = { patterns: [], ports: [] };
    const request = JSON.stringify({ ...JSON.parse(everything), sweep });
    const answer = await call(socket, 'POST', '/stop', request);
    expect({ status: answer.statusCode, said: await text(answer) }).toMatchObject({ status: 500 });
  } finally {
    lock.release();
  }
  expect(await connectTo(socket).hello(5_000)).not.toBeNull();
  expect(await stateOf(project, 'web')).toBe('ready');
  const [web] = project.oracle.processes();
  if (!web) throw new Error('web does not run');
  await killAtOnce(web);
  await until(() => readRecords(folder).records.some(({ state }) => state === 'failed'));
});

test('after a stand-down that stopped nothing everything is as it was', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper'), plain: { command: fixture('sleeper') } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const before = [await stateOf(project, 'web'), await stateOf(project, 'plain')];
  const stop = await connectTo(socketOf(project)).standDown({ names: null }, 5_000);
  if (!stop) throw new Error('The supervisor does not stand down');
  expect(await stateOf(project, 'web')).not.toBe('ready');
  stop();
  await until(async () => (await stateOf(project, 'web')) === before[0]);
  expect(await stateOf(project, 'plain')).toBe(before[1]);
});

test('GET /events tells every change, from the first moment on', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper'), other: service('sleeper') },
  });
  expect(await devctl(project, 'start', 'other')).toMatchObject({ exitCode: 0 });
  const events = await call(socketOf(project), 'GET', '/events');
  expect(events.statusCode).toBe(200);
  let told = '';
  events.setEncoding('utf8').on('data', (chunk) => {
    told += chunk;
  });
  expect(await devctl(project, 'start', 'web')).toMatchObject({ exitCode: 0 });
  await until(
    () => told.includes('"to":"ready"') && told.endsWith('\n'),
    () => told,
  );
  const changes: SupervisorEvent[] = told
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(changes.map(({ service: name, to }) => `${name} ${to}`)).toEqual([
    'web waiting',
    'web spawning',
    'web starting',
    'web ready',
  ]);
  events.destroy();
});

test.runIf(process.platform === 'linux')('a log on a full disk does not end it', async () => {
  await using project = await temporaryProject({ services: {} });
  mkdirSync(project.file('.pids'), { mode: 0o700 });
  const full = openSync('/dev/full', 'a');
  const script = join(repositoryRoot, 'dist', 'supervisor', 'main.js');
  const child = spawn(process.execPath, [script, project.root, project.file('.pids')], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    stdio: ['ignore', full, full, 'pipe'],
  });
  closeSync(full);
  const [ready] = child.stdio.slice(3);
  if (!ready) throw new Error('It has no pipe to say that it is ready');
  await once(ready, 'data');
  const socket = socketOf(project);
  for (const body of ['{', 'no JSON']) {
    const answer = await call(socket, 'POST', '/start', body);
    expect(answer.statusCode).toBe(500);
    answer.resume();
  }
  expect(await connectTo(socket).hello(5_000)).toMatchObject({ pid: child.pid });
});
