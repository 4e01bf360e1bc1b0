import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { freePorts } from '../support/free-ports.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { type Ground, isAlive, killResidents, openGround } from '../support/places.ts';
import { readProcesses } from '../support/read-processes.ts';
import type { SeenProcess } from '../support/seen-process.ts';
import { hasSubreaper } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { until } from '../support/until.ts';

/** Kills the supervisor and the guard of the project in the working directory, by what its records name. */
const KILL_RESIDENTS = `kill -9 $(grep -ho '"pid": [0-9]*' .pids/supervisor.json | grep -o '[0-9]*') $(sed -n '/"guard"/,/}/s/.*"pid": \\([0-9]*\\).*/\\1/p' .pids/services/web.json)`;
const devctl = `'${process.execPath}' '${join(repositoryRoot, 'bin', 'devctl.js')}'`;

/** Reads the leader that the records of a project name, once there is one. */
async function leaderOf(ground: Ground, name: string): Promise<SeenProcess> {
  const file = ground.path(`${name}/.pids/services/web.json`);
  return until(() => {
    const { leader } = JSON.parse(readFileSync(file, 'utf8'));
    return readProcesses().find(({ pid }) => pid === leader?.pid);
  });
}

/** Writes a project with one service, whose process has cleared its environment, so that it has no mark. */
function writeBare(ground: Ground, name: string, command: string, more: object = {}): void {
  const web = { command: `exec env -i ${command}`, ...more };
  ground.write(name, { services: { web } });
}

interface Scene {
  /** Starts both projects, kills the supervisor and the guard of Q, ends what P has, and tells Q's process. */
  readonly play: (ground: Ground) => Promise<SeenProcess>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts P, a service of which starts Q, and stops P when nothing but Q's service is left of Q. */
async function nested(ground: Ground): Promise<SeenProcess> {
  writeBare(ground, 'Q', ground.sleep);
  const command = `(cd '${ground.path('Q')}' && ${devctl} start) && echo started; exec ${ground.sleep}`;
  ground.write('P', { services: { web: { command, ready: { log: '^started$' } } } });
  expect(await ground.devctl('P', 'start')).toMatchObject({ exitCode: 0 });
  const theirs = await leaderOf(ground, 'Q');
  const isOfQ = ({ cwd }: SeenProcess) => cwd === ground.path('Q');
  await killResidents({ ...ground, residents: () => ground.residents().filter(isOfQ) });
  const { exitCode, stdout, stderr } = await ground.devctl('P', 'stop', '--json');
  expect(exitCode, stdout + stderr).toBe(0);
  const { spared }: StopReport = JSON.parse(stdout);
  expect(spared).toContainEqual(
    expect.objectContaining({ pid: theirs.pid, veto: 'other-project', ours: true }),
  );
  return theirs;
}

/** Does the same with `devctl run` instead of a service. */
async function belowRun(ground: Ground): Promise<SeenProcess> {
  writeBare(ground, 'Q', ground.sleep);
  ground.write('P', { services: {} });
  const script = `cd '${ground.path('Q')}' && ${devctl} start >/dev/null && ${KILL_RESIDENTS}`;
  const { exitCode, stderr } = await ground.devctl('P', 'run', '--', 'sh', '-c', script);
  const theirs = await leaderOf(ground, 'Q');
  expect(ground.residents()).toEqual([]);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain(`left alone: pid ${theirs.pid}`);
  return theirs;
}

/** Starts a dev server of Q that works in P, and stops P, which sweeps dev servers. */
async function swept(ground: Ground): Promise<SeenProcess> {
  ground.write('P', { services: { api: { command: `exec ${ground.sleep}` } } });
  const vite = ground.path('P/node_modules/vite/bin/vite.js');
  await ground.run('mkdir', '-p', 'P/node_modules/vite/bin');
  await ground.run('sh', '-c', `echo 'setInterval(() => {}, 1000)' > '${vite}'`);
  writeBare(ground, 'Q', `'${process.execPath}' '${vite}'`, { cwd: ground.path('P') });
  expect(await ground.devctl('Q', 'start')).toMatchObject({ exitCode: 0 });
  await killResidents(ground);
  expect(await ground.devctl('P', 'start')).toMatchObject({ exitCode: 0 });
  const theirs = await leaderOf(ground, 'Q');
  expect(await ground.devctl('P', 'stop')).toMatchObject({ exitCode: 0 });
  return theirs;
}

const NO_GROUPS = { DEVCTL_CGROUP: 'off' };

describe.runIf(hasSubreaper)('the service of a project without a supervisor goes on', () => {
  test.each<[string, Scene]>([
    ['it is below us, and a record names it', { play: nested, env: NO_GROUPS }],
    ['it is a dev server in our folder', { play: swept, env: NO_GROUPS }],
  ])('%s', goesOn);

  fullTest.each<[string, Scene]>([
    ['it is below us, in a control group of its own', { play: nested }],
    ['it is below devctl run, in a control group of its own', { play: belowRun }],
    ['it is below devctl run, and a record names it', { play: belowRun, env: NO_GROUPS }],
  ])('%s', goesOn);

  async function goesOn(_name: string, { play, env }: Scene): Promise<void> {
    await using ground = await openGround(env);
    const theirs = await play(ground);
    expect(isAlive(theirs)).toBe(true);
    expect(await ground.devctl('Q', 'stop')).toMatchObject({ exitCode: 0 });
    expect(isAlive(theirs)).toBe(false);
  }
});

/** A PID namespace, as a container has one. All processes in it die with its process 1. */
const CONTAINER = ['--pid', '--fork', '--mount-proc', '--kill-child'] as const;
const mayUnshare = spawnSync('unshare', [...CONTAINER, 'true']).status === 0;

fullTest.runIf(hasSubreaper && mayUnshare).each<[string, Readonly<Record<string, string>>]>([
  ['in its control group', {}],
  ['by its records', NO_GROUPS],
])(
  'where nothing else of another project lives on the machine, its listener in our folder goes on: %s',
  async (_name, env) => {
    await using ground = await openGround(env);
    const [port = 0] = await freePorts(1);
    const ours = { command: 'sleep 1', ports: [port] };
    ground.write('P', { services: { web: ours, api: { command: `exec ${ground.sleep}` } } });
    writeBare(ground, 'Q', fixture('tcp-server', String(port)).join(' '), {
      cwd: ground.path('P'),
      ports: [port],
    });
    const script = [
      `cd '${ground.path('P')}' && ${devctl} start api >&2 || exit 10`,
      `cd '${ground.path('Q')}' && ${devctl} start >&2 && ${KILL_RESIDENTS} || exit 11`,
      `cd '${ground.path('P')}' && ${devctl} stop --json >stopped.json || exit 12`,
      `cd '${ground.path('Q')}' && ${devctl} status --json >status.json && ${devctl} stop >&2`,
    ].join('\n');
    const outcome = await execa('unshare', [...CONTAINER, 'sh', '-c', script], {
      env: { ...cleanEnvironment(), XDG_STATE_HOME: ground.path('.state'), ...env },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    });
    expect(outcome, outcome.stderr).toMatchObject({ exitCode: 0 });
    const read = (name: string) => JSON.parse(readFileSync(ground.path(name), 'utf8'));
    const stopped: StopReport = read('P/stopped.json');
    expect(stopped).toMatchObject({ survivors: [], processes: [{ service: 'api' }] });
    expect(stopped.spared).toMatchObject([{ veto: 'other-project', evidence: [{ kind: 'port' }] }]);
    expect(read('Q/status.json').services).toMatchObject([{ name: 'web', state: 'ready' }]);
  },
);
