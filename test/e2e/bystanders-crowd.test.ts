import { chownSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import { NOBODY } from '../processes/support/nobody.ts';
import { type CrowdPlace, gatherCrowd } from '../support/crowd.ts';
import { devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { removeRecords, service, signalSupervisor } from '../support/services.ts';
import { eachMode, fullTest } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

interface Mode {
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  /** The fault between start and stop. */
  readonly disturb?: (project: TemporaryProject) => unknown;
  readonly stops: readonly (readonly string[])[];
}

const NAMES = ['web', 'api', 'traced', 'log'];
const killSupervisor = (project: TemporaryProject) => signalSupervisor(project, 'SIGKILL');

const MODES: [string, Mode][] = [
  ['stop', { stops: [['stop', '--dry-run'], ['sweep'], ['stop']] }],
  ['stop NAME', { stops: NAMES.map((name) => ['stop', name]) }],
  ['stop --force', { stops: [['stop', '--force']] }],
  ['stop after the supervisor was killed', { disturb: killSupervisor, stops: [['stop']] }],
  ['stop after rm -rf .pids', { disturb: removeRecords, stops: [['stop']] }],
  [
    'stop --force after both',
    {
      disturb: async (project) => {
        await killSupervisor(project);
        await removeRecords(project);
      },
      stops: [['stop', '--force']],
    },
  ],
  ['stop without native calls', { env: { DEVCTL_NATIVE: 'off' }, stops: [['stop']] }],
  ['stop without cgroups', { env: { DEVCTL_CGROUP: 'off' }, stops: [['stop', '--force']] }],
  ['stop on the portable table', { env: { DEVCTL_PROCESS_TABLE: 'portable' }, stops: [['stop']] }],
  [
    'stop --force on the portable table after the supervisor was killed',
    {
      env: { DEVCTL_PROCESS_TABLE: 'portable' },
      disturb: killSupervisor,
      stops: [['stop', '--force']],
    },
  ],
];

/** Only root can become another user. */
const USER_MODES: [string, Mode][] = [
  ['stop as an unprivileged user', { uid: NOBODY, stops: [['stop']] }],
  [
    'stop --force as an unprivileged user after the supervisor was killed',
    { uid: NOBODY, disturb: killSupervisor, stops: [['stop', '--force']] },
  ],
];

const TITLE = 'no process of the crowd is touched: %s';
eachMode(MODES)(TITLE, expectCrowdUntouched);
fullTest.runIf(process.getuid?.() === 0).each(USER_MODES)(TITLE, expectCrowdUntouched);

async function expectCrowdUntouched(_name: string, mode: Mode): Promise<void> {
  const [port = 0] = await freePorts(1);
  await using outside = await temporaryProject();
  await using project = await temporaryProject(
    {
      stopGrace: '1s',
      services: {
        web: service('own-session'),
        api: service('tcp-server', [String(port)], { ports: [port] }),
        // A debugger holds it, so that it never gets its signal.
        traced: service('sleeper', [], { stop: { grace: '300ms' } }),
        log: service('logger', ['hello']),
      },
    },
    {},
    'app',
  );
  const { uid } = mode;
  if (uid !== undefined) giveTo(uid, project, outside);
  const run = (...args: readonly string[]) =>
    devctlWith(
      project,
      { env: { HOME: outside.root, ...mode.env }, ...(uid === undefined ? {} : { uid }) },
      ...args,
    );

  const started = await run('start');
  expect(started.exitCode, started.stderr).toBe(0);
  await using crowd = await gatherCrowd(placeOf(project, outside, port), uid);
  expect(crowd.kinds.length).toBeGreaterThan(10);
  await mode.disturb?.(project);
  for (const args of mode.stops) {
    const { exitCode, stderr, stdout } = await run(...args, '--json');
    expect(exitCode, stdout + stderr).toBe(0);
    // A failure shows the ended processes, and why devctl took them for ours.
    expect(crowd.missing(), stdout).toEqual([]);
  }
  expect(project.oracle.processes()).toEqual([]);
}

function placeOf(project: TemporaryProject, outside: TemporaryProject, port: number): CrowdPlace {
  const record = (name: string) =>
    JSON.parse(readFileSync(project.file(`.pids/services/${name}.json`), 'utf8'));
  const [web, log, traced] = [record('web'), record('log'), record('traced')];
  const cookie = project.oracle
    .processes()
    .flatMap(({ environment }) => environment)
    .find((entry) => entry.startsWith('DEVCTL_PROJECT='));
  return {
    ROOT: project.root,
    OUTSIDE: outside.root,
    ID: cookie?.split('=')[1] ?? expect.fail('no cookie'),
    RUN: web.runId,
    LOG: log.log,
    FIFO: log.stdin,
    PORT: String(port),
    TARGET: String(traced.leader.pid),
  };
}

/** Gives a user the project folder and the folder around it, because a recipe makes a worktree beside the project. */
function giveTo(uid: number, project: TemporaryProject, outside: TemporaryProject): void {
  for (const path of [project.root, dirname(project.root), outside.root]) chownSync(path, uid, uid);
}
