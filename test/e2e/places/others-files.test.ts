import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { hasControlGroups } from '../../support/control-groups.ts';
import { endProcesses } from '../../support/end-processes.ts';
import { repositoryRoot } from '../../support/paths.ts';
import { type Ground, isAlive, killResidents, openGround } from '../../support/places.ts';
import { readProcesses } from '../../support/read-processes.ts';
import type { SeenProcess } from '../../support/seen-process.ts';
import { hasSubreaper } from '../../support/services.ts';
import { eachMode, eachModeIf, fullTest } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

/** A program without any mark, that no folder and no environment ties to its project. */
interface Program extends AsyncDisposable {
  /** A service that is such a process. */
  readonly bare: string;
  /** A service that leaves such a process behind, in a session of its own. */
  readonly daemon: string;
  living(): readonly SeenProcess[];
  /** Waits until it runs once. */
  started(): Promise<SeenProcess>;
}

/** Makes a program that writes a line now and then. On disposal it is ended. */
function program(ground: Ground, name: string): Program {
  const path = ground.path(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "setInterval(() => console.log('tick'), 1000);\n");
  const living = () => readProcesses().filter(({ zombie, argv }) => !zombie && argv.includes(path));
  const run = `env -i '${process.execPath}' '${path}'`;
  return {
    bare: `exec ${run}`,
    daemon: `(setsid ${run} &); exec sleep 1000`,
    living,
    started: () => until(() => living().find(({ argv }) => argv[0] === process.execPath)),
    async [Symbol.asyncDispose]() {
      await endProcesses(living);
    },
  };
}

const web = (command: string, more: object = {}, of: object = {}) => ({
  ...of,
  services: { web: { command, ...more } },
});

/** Neither a subreaper nor control groups: then open files decide. */
const UNCONTAINED = { DEVCTL_NATIVE: 'off', DEVCTL_CGROUP: 'off' };

async function begin(ground: Ground, name: string, ...words: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await ground.devctl(name, 'start', ...words);
  expect(exitCode, stderr).toBe(0);
}

/** Runs a command that must leave a process alone. Returns what it said. */
async function spare(
  ground: Ground,
  name: string,
  one: SeenProcess,
  words: readonly string[],
  ...exitCodes: readonly number[]
): Promise<string> {
  const done = await ground.devctl(name, ...words);
  const said = `${words.join(' ')}: ${done.stdout}${done.stderr}`;
  expect(isAlive(one), said).toBe(true);
  expect(exitCodes, said).toContain(done.exitCode);
  if (done.exitCode === 4) expect(said).toContain(`pid ${one.pid}`);
  return said;
}

fullTest.each<[string, readonly string[]]>([
  ['sweep', ['sweep']],
  ['stop', ['stop']],
  ['stop --force', ['stop', '--force']],
])(
  'a daemon of a project below this one, with a manifest of another name: %s',
  async (_title, words) => {
    await using ground = await openGround(UNCONTAINED);
    await using vite = program(ground, 'P/sub/node_modules/vite/bin/vite.js');
    ground.write('P', web('sleep 1000'));
    ground.write('P/sub', web(vite.daemon));
    renameSync(ground.path('P/sub/.devctl.json'), ground.path('P/sub/dev.json'));
    await begin(ground, 'P/sub', '--config', 'dev.json');
    const one = await vite.started();
    await begin(ground, 'P');
    await spare(ground, 'P', one, words, 0);
  },
);

eachModeIf(hasSubreaper && hasControlGroups)<[string, string]>([
  ['its folder', '.'],
  ['a folder of ours', '..'],
])(
  'a service of a project below this one that has lost its manifest works in %s',
  async (_title, cwd) => {
    await using ground = await openGround();
    await using vite = program(ground, 'P/sub/node_modules/vite/bin/vite.js');
    ground.write('P', web('sleep 1000'));
    ground.write('P/sub', web(vite.daemon, { cwd }));
    await begin(ground, 'P/sub');
    const one = await vite.started();
    await killResidents(ground);
    rmSync(ground.path('P/sub/.devctl.json'));
    await spare(ground, 'P', one, ['stop'], 0);
    await spare(ground, 'P', one, ['sweep'], 0);
    const ended = await ground.devctl('P/sub', 'stop');
    expect([ended.exitCode, vite.living()], ended.stdout + ended.stderr).toEqual([0, []]);
  },
);

const SHARED_LOGS = { logs: { dir: '../logs' } };

fullTest.each<[string, readonly string[], boolean]>([
  ['stop', ['stop'], false],
  ['restart', ['restart'], false],
  ['stop --force', ['stop', '--force'], false],
  ['stop --force, its supervisor killed', ['stop', '--force'], true],
])(
  'a daemon of another project that writes to a log of the same name: %s',
  async (_title, words, killed) => {
    await using ground = await openGround(UNCONTAINED);
    await using daemon = program(ground, 'daemon.js');
    await using service = program(ground, 'service.js');
    ground.write('P', web(daemon.daemon, { cwd: '/' }, SHARED_LOGS));
    ground.write('Q', web(service.bare, {}, SHARED_LOGS));
    await begin(ground, 'Q');
    await begin(ground, 'P');
    const one = await daemon.started();
    if (killed) await killResidents(ground);
    // The ledger of its own project names it where a scan was early enough.
    await spare(ground, 'Q', one, words, 0, 4);
    if (words[0] === 'stop') expect(service.living()).toEqual([]);
  },
);

fullTest.each<[string, readonly string[]]>([
  ['stop --force', ['stop', '--force']],
  ['stop', ['stop']],
])(
  'a recorded process of another project that writes to a log of ours is its own: %s',
  async (_title, words) => {
    await using ground = await openGround(UNCONTAINED);
    await using service = program(ground, 'service.js');
    ground.write('P', web(service.bare, { cwd: '/' }, SHARED_LOGS));
    ground.write('Q', web('sleep 1000', {}, SHARED_LOGS));
    await begin(ground, 'P');
    const one = await service.started();
    await killResidents(ground);
    const said = await spare(ground, 'Q', one, words, 0);
    expect(said).not.toContain('SIGKILL');
  },
);

eachMode<[string, readonly string[]]>([
  ['stop --force', ['stop', '--force']],
  ['stop', ['stop']],
])(
  'a daemon of another project that keeps its records in the same folder: %s',
  async (_title, words) => {
    await using ground = await openGround(UNCONTAINED);
    await using daemon = program(ground, 'daemon.js');
    const shared = { pidsDir: ground.path('shared') };
    ground.write('P', web(daemon.daemon, { cwd: '/' }, shared));
    ground.write('Q', web('sleep 1000', {}, shared));
    await begin(ground, 'P');
    const one = await daemon.started();
    await spare(ground, 'Q', one, words, 0);
  },
);

/** Two projects that keep their records in one folder, which lies in neither. */
function writeShared(ground: Ground, service: object): void {
  for (const name of ['P', 'Q']) {
    ground.write(name, { pidsDir: ground.path('shared'), services: { web: service } });
  }
}

fullTest('a start throws the lock of another project in its records folder not away', async () => {
  await using ground = await openGround();
  const never = { log: '^never$', timeout: '10m' };
  writeShared(ground, { command: ground.sleep, ready: never });
  const first = ground.devctl('P', 'start');
  await until(() => ground.living().length === 1);
  await until(() => readdirSync(ground.path('shared/services')).length > 0);
  const lock = readFileSync(ground.path('shared/lock'), 'utf8');
  const second = await ground.devctl('Q', 'start');
  expect(second.exitCode, second.stderr).toBe(2);
  expect(readFileSync(ground.path('shared/lock'), 'utf8')).toBe(lock);
  expect(ground.living().length).toBe(1);
  await ground.devctl('P', 'stop', '--force');
  await first;
});

type Words = readonly [folder: string, ...words: string[]];

eachMode<[string, Words, Words, number]>([
  ['a start of another project, a stop', ['P', 'start'], ['Q', 'stop'], 6],
  ['a restart of another project, stop --force', ['P', 'restart'], ['Q', 'stop', '--force'], 0],
  [
    'a start of another manifest, a stop',
    ['P', 'start', '--config', 'b.json'],
    ['P', 'stop', '--config', 'a.json'],
    6,
  ],
  [
    'a restart of another manifest, stop --force',
    ['P', 'restart', '--config', 'b.json'],
    ['P', 'stop', '--force', '--config', 'a.json'],
    0,
  ],
])(
  'a command of others that holds the lock of a shared records folder is not ended: %s',
  async (_title, [holder, ...held], [other, ...stop], code) => {
    await using ground = await openGround();
    writeShared(ground, { command: ground.sleep, ready: { log: '^never$', timeout: '10m' } });
    for (const name of ['a.json', 'b.json']) {
      copyFileSync(ground.path('P/.devctl.json'), ground.path(`P/${name}`));
    }
    const first = ground.devctl(holder, ...held);
    await until(() => ground.living().length === 1);
    const lock = readFileSync(ground.path('shared/lock'), 'utf8');
    const { pid } = JSON.parse(lock).identity;
    const stopped = await ground.devctl(other, ...stop);
    const said = stopped.stdout + stopped.stderr;
    expect(stopped.exitCode, said).toBe(code);
    const named = ground.path(held[2] === undefined ? 'P' : `P/${held[2]}`);
    if (code === 6) expect(said).toContain(`(pid ${pid}) of another project, ${named},`);
    else expect(said).toMatch(`the lock was ignored: its holder, devctl restart (pid ${pid}),`);
    expect(said).toContain(named);
    expect(readFileSync(ground.path('shared/lock'), 'utf8')).toBe(lock);
    expect(ground.living().length).toBe(1);
    const ended = await ground.devctl(holder, 'stop', ...held.slice(1));
    expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
    // It waited until now, and its own stop ended it.
    expect((await first).stderr).toMatch(/a stop came first|a devctl stop has taken over/);
  },
);

fullTest('of two projects that start at once in one records folder only one runs', async () => {
  await using ground = await openGround();
  writeShared(ground, { command: ground.sleep });
  const both = await Promise.all(['P', 'Q'].map((name) => ground.devctl(name, 'start')));
  const codes = both.map(({ exitCode }) => exitCode);
  expect(codes.sort(), both.map(({ stderr }) => stderr).join('\n')).toEqual([0, 2]);
  expect(ground.living().length).toBe(1);
  for (const name of ['P', 'Q']) {
    const stopped = await ground.devctl(name, 'stop');
    expect(stopped.exitCode, stopped.stdout + stopped.stderr).toBe(0);
  }
  expect(ground.living()).toEqual([]);
});

fullTest(
  'a start sets the records of a project aside that was moved only when nothing of it lives',
  async () => {
    await using ground = await openGround();
    await using service = program(ground, 'service.js');
    writeShared(ground, { command: service.bare });
    await begin(ground, 'P');
    const one = await service.started();
    await killResidents(ground);
    await ground.run('mv', 'P', 'R');
    const said = await spare(ground, 'Q', one, ['start'], 2);
    expect(said).toMatch(/was moved and still runs[\s\S]*stop --project [0-9a-f]{16}/);
    for (const words of [['stop'], ['stop', '--force']]) await spare(ground, 'Q', one, words, 0);
    const stopped = await ground.devctl('R', 'stop');
    expect([stopped.exitCode, service.living()], stopped.stdout).toEqual([0, []]);
    await begin(ground, 'Q');
  },
);

/** The process table of systems without /proc. */
const PORTABLE = { DEVCTL_PROCESS_TABLE: 'portable' };

fullTest.each<[string, readonly string[]]>([
  ['stop', ['stop']],
  ['stop --force', ['stop', '--force']],
])(
  'a recorded process whose record has the times of another process table: %s',
  async (_title, words) => {
    await using ground = await openGround({ DEVCTL_CGROUP: 'off' });
    await using service = program(ground, 'service.js');
    ground.write('P', web(`${service.bare} </dev/null >/dev/null 2>&1`, { cwd: '/' }));
    await begin(ground, 'P');
    const one = await service.started();
    await killResidents(ground);
    const bin = join(repositoryRoot, 'bin', 'devctl.js');
    const seen = await execa(process.execPath, [bin, ...words], {
      cwd: ground.path('P'),
      env: { ...cleanEnvironment(), ...PORTABLE, XDG_STATE_HOME: dirname(ground.state) },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    });
    const said = seen.stdout + seen.stderr;
    expect([seen.exitCode, isAlive(one)], said).toEqual([4, true]);
    expect(said).toContain(`pid ${one.pid}`);
    expect(said).not.toContain('had ended already');
    const stopped = await ground.devctl('P', 'stop');
    expect([stopped.exitCode, service.living()], stopped.stdout).toEqual([0, []]);
  },
);
