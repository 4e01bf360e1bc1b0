import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { connectTo } from '../../src/client/client.ts';
import type { ServiceChange } from '../../src/client/protocol.ts';
import { acquireLock } from '../../src/lock/lock.ts';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { readRecords } from '../../src/project/records.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { statusReport } from '../support/reports.ts';
import {
  hasSubreaper,
  killAtOnce,
  removeRecords,
  service,
  supervisorsOf,
} from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

function socketOf(project: TemporaryProject): string {
  return JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8')).socket;
}

/** Sends one request over the socket. Resolves when the answer begins. */
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

test('after a stop that failed, the supervisor looks after its services again', async () => {
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
    const sweep = { patterns: [], protect: [], scope: 'off' };
    const everything = {
      names: null,
      declared: [],
      force: false,
      graceMs: null,
      sweep,
      unprotected: false,
    };
    const answer = await call(socket, 'POST', '/stop', JSON.stringify(everything));
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

fullTest('after a stand-down that stopped nothing everything is as it was', async () => {
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
  const changes: ServiceChange[] = told
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  // On a busy machine a probe that waits is told too, as a change from `starting` to `starting`.
  const moves = changes.filter(({ from, to }) => from !== to);
  expect(moves.map(({ service: name, to }) => `${name} ${to}`)).toEqual([
    'web waiting',
    'web spawning',
    'web starting',
    'web ready',
  ]);
  events.destroy();
});

fullTest.runIf(hasSubreaper)(
  'records of an earlier supervisor make a proof worth less',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const folder = projectFolder(project.root, project.file('.pids'));
    const isProof = async () => {
      expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
      const { records } = readRecords(folder);
      expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
      return records.map(({ subreaper }) => subreaper);
    };
    expect(await isProof()).toEqual([true]);
    // A stop leaves nothing behind that makes the proof worth less.
    expect(await isProof()).toEqual([true]);
    project.write('.pids/services.pids', '999999\n');
    expect(await isProof()).toEqual([false]);
    expect(await isProof()).toEqual([true]);
    // The records are lost, but the supervisor lives and has a child, whose own children go to process 1.
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await removeRecords(project);
    expect(await isProof()).toEqual([false]);
  },
);

/**
 * Holds an idle supervisor in the turn of the event loop that it awaits while it reaps: SIGCHLD reaps nothing, so the
 * daemon of the service is a zombie then, and every look at the clock is a long turn.
 */
const SLOW_REAP = `
  const { existsSync, writeFileSync } = require('node:fs');
  const timers = require('node:timers/promises');
  if (process.argv[1]?.endsWith('/supervisor/main.js')) {
    const { on } = process;
    process.on = (name, listener) => name === 'SIGCHLD' ? process : on.call(process, name, listener);
    const now = process.uptime.bind(process);
    let ahead = 0;
    process.uptime = () => {
      if (existsSync('hold') && !existsSync('held')) ahead += 0.03;
      return now() + ahead;
    };
    const { setImmediate: turn, setTimeout: delay } = timers;
    const isHeld = () => existsSync('hold') && new Error().stack.includes('reapNow');
    const whileHeld = async () => {
      while (existsSync('hold')) await delay(1);
    };
    timers.setImmediate = async () => {
      if (!isHeld()) return turn();
      writeFileSync('held', '');
      await whileHeld();
    };
    // The supervisor reaps for one second at most, which is less than a busy machine needs to begin a command.
    timers.setTimeout = async (...args) => {
      if (isHeld()) await whileHeld();
      return delay(...args);
    };
    require('node:module').syncBuiltinESMExports();
  }`;

fullTest.runIf(hasSubreaper)(
  'a start that comes while the idle supervisor is about to end is served',
  async () => {
    await using project = await temporaryProject({ services: { web: service('double-fork') } });
    const env = { NODE_OPTIONS: `--require=${project.write('preload.cjs', SLOW_REAP)}` };
    expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
    project.write('hold', '');
    await until(() => existsSync(project.file('held')));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    rmSync(project.file('hold'));
    // To answer, the supervisor reaps as well, which takes longer than the rest of the earlier reaping.
    expect(await connectTo(socketOf(project)).hasChildren(5_000)).toBe(true);
    // A start on a busy machine replaces a supervisor that does not answer in time, so it may be another one.
    expect(supervisorsOf(project)).toHaveLength(1);
  },
);
