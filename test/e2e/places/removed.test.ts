import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import type { StopReport } from '../../../src/stopping/report.ts';
import { expectToEnd } from '../../support/expect-places.ts';
import {
  type Ground,
  isAlive,
  killSupervisorOf,
  openGround,
  type Run,
} from '../../support/places.ts';
import { hasSubreaper, removeAll } from '../../support/services.ts';
import { eachMode, eachModeIf, fullTest, test } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

/** The reports of stops that could not be kept in their project. */
function reportsOf(ground: Ground): readonly StopReport[] {
  const folder = join(ground.state, 'stops');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

async function expectSupervisorToEnd(ground: Ground, run: Run): Promise<void> {
  await until(() => run.living().length === 0);
  await until(() => ground.residents().length === 0);
  expect(existsSync(run.path), 'nothing makes the folder again').toBe(false);
  const [report, ...others] = reportsOf(ground);
  expect(others).toEqual([]);
  expect(report).toMatchObject({ project: run.path, survivors: [] });
  expect(report?.why).toMatch(/removed/);
  expect(report?.processes.length).toBe(3);
}

/** Makes a repository with a manifest, and a worktree of it. */
async function makeWorktree(ground: Ground): Promise<string> {
  ground.write('main');
  const git = (...args: readonly string[]) =>
    ground.run('git', '-C', 'main', '-c', 'user.name=a', '-c', 'user.email=a@b', ...args);
  await git('init', '-q');
  await git('add', '.devctl.json');
  await git('commit', '-qm', 'first');
  await git('worktree', 'add', '-q', '../tree');
  return 'tree';
}

eachMode<[string, (ground: Ground) => Promise<Run>]>([
  [
    'rm -rf',
    async (ground) => {
      const run = await ground.start('P');
      await ground.remove('P');
      return run;
    },
  ],
  [
    'git worktree remove --force',
    async (ground) => {
      const run = await ground.start(await makeWorktree(ground));
      await ground.run('git', '-C', 'main', 'worktree', 'remove', '--force', '../tree');
      return run;
    },
  ],
  [
    'rm -rf of the folder above it',
    async (ground) => {
      const run = await ground.start('above/P');
      await ground.remove('above');
      return run;
    },
  ],
])('everything ends after %s, and the report is kept', async (_how, remove) => {
  await using ground = await openGround();
  await expectSupervisorToEnd(ground, await remove(ground));
});

fullTest.each<[string, readonly string[]]>([
  ['rm -rf', ['rm', '-rf', 'tree']],
  [
    'git worktree remove --force',
    ['git', '-C', 'main', 'worktree', 'remove', '--force', '../tree'],
  ],
])(
  '%s of very many files succeeds while services write, and everything ends',
  async (_how, words) => {
    await using ground = await openGround();
    await makeWorktree(ground);
    const count = 100_000;
    for (let folder = 0; folder < count / 1_000; folder += 1) {
      const path = ground.path(`tree/node_modules/${folder}`);
      mkdirSync(path, { recursive: true });
      for (let file = 0; file < 1_000; file += 1) writeFileSync(join(path, String(file)), '');
    }
    const run = await ground.start('tree');
    const [command = '', ...args] = words;
    await ground.run(command, ...args);
    await expectSupervisorToEnd(ground, run);
  },
);

fullTest('everything ends after manifest and records were removed from the folder', async () => {
  await using ground = await openGround();
  const run = await ground.start('P');
  await removeAll(ground.path('P/.pids'));
  rmSync(ground.path('P/.devctl.json'));
  await until(() => run.living().length === 0);
  expect(readdirSync(ground.path('P'))).toEqual([]);
});

/** Lists the projects of this ground that `status --all` names. */
async function projectsOf(ground: Ground) {
  const { stdout } = await ground.devctl('/', 'status', '--all', '--json');
  const { projects } = JSON.parse(stdout) as {
    projects: { id: string; project: string; gone: boolean; processes: number; since: string }[];
  };
  return projects.filter(({ project }) => project?.startsWith(ground.root));
}

eachModeIf(hasSubreaper)<[string, readonly string[]]>([
  ['its path', []],
  ['its id', ['id']],
  ['its path, with --force', ['--force']],
])(
  'what a removed project has left without a supervisor is seen and ended from anywhere, by %s',
  async (_by, words) => {
    await using ground = await openGround();
    const run = await ground.start('P');
    await killSupervisorOf(run);
    rmSync(run.path, { recursive: true });
    const doctor = await ground.devctl('/', 'doctor');
    expect(doctor.stdout).toContain(
      `the folder ${run.path} is gone, and 3 of its project still run`,
    );
    const [found, ...others] = await projectsOf(ground);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ project: run.path, gone: true, processes: 3 });
    expect(Date.parse(found?.since ?? '')).toBeGreaterThan(0);
    const named = words[0] === 'id' ? (found?.id ?? '') : run.path;
    const flags = words.filter((word) => word !== 'id');
    await expectToEnd(ground, '/', [run], '--project', named, ...flags);
    expect(ground.residents()).toEqual([]);
    expect(await projectsOf(ground)).toEqual([]);
  },
);

fullTest.runIf(hasSubreaper)('a new project at the path of a removed one', async () => {
  await using ground = await openGround();
  const run = await ground.start('P');
  await killSupervisorOf(run);
  rmSync(run.path, { recursive: true });
  const fresh = await ground.start('P');
  const [first] = run.living();
  // It is at the same path, and nothing of the removed one is anywhere else: the new start ends the old run.
  expect(first).toBe(undefined);
  expect(fresh.living().length).toBe(3);
  await expectToEnd(ground, 'P', [fresh]);
});

fullTest.runIf(hasSubreaper).each<[string, boolean]>([
  ['the supervisor lives', false],
  ['the supervisor was killed', true],
])(
  'nothing of an old run lives beside the new one after git clean -xdf: %s',
  async (_how, kill) => {
    await using ground = await openGround();
    ground.write('P');
    await ground.run('git', '-C', 'P', 'init', '-q');
    await ground.run('git', '-C', 'P', 'add', '.devctl.json');
    const before = await ground.start('P');
    if (kill) await killSupervisorOf(before);
    await ground.run('git', '-C', 'P', 'clean', '-xdfq');
    const { exitCode, stderr } = await ground.devctl('P', 'start');
    expect(exitCode, stderr).toBe(0);
    expect(before.living()).toEqual([]);
    await until(() => ground.living().length === 3);
    expect(isAlive(before.supervisor)).toBe(false);
    expect(await ground.devctl('P', 'stop')).toMatchObject({ exitCode: 0 });
    expect(ground.living()).toEqual([]);
  },
);

fullTest.runIf(hasSubreaper).each<[string, boolean]>([
  ['the supervisor lives', false],
  ['the supervisor was killed', true],
])(
  'a service that has neither a record nor a place in the manifest ends before a start, and a one-off does not: %s',
  async (_how, kill) => {
    await using ground = await openGround();
    const before = await ground.start('P');
    const job = ground.devctl('P', 'run', '--name', 'job', '--', 'sh', '-c', 'touch on; sleep 600');
    await until(() => existsSync(ground.path('P/on')));
    if (kill) await killSupervisorOf(before);
    await removeAll(ground.path('P/.pids'));
    ground.write('P', { services: { renamed: { command: 'touch up; sleep 600' } } });
    const { exitCode, stderr } = await ground.devctl('P', 'start');
    expect(exitCode, stderr).toBe(0);
    expect(before.living()).toEqual([]);
    expect(isAlive(before.supervisor)).toBe(false);
    await until(() => existsSync(ground.path('P/up')));
    const status = await ground.devctl('P', 'stop', 'renamed');
    expect(status.exitCode, status.stdout + status.stderr).toBe(0);
    expect(await Promise.race([job, 'it runs'])).toBe('it runs');
    expect(await ground.devctl('P', 'stop')).toMatchObject({ exitCode: 0 });
    await job;
  },
);

const READING = [['status'], ['stop'], ['start'], ['logs'], ['doctor'], ['restart']] as const;

test.runIf(process.platform === 'linux')(
  'a shell that stands in a removed folder gets one line with a way out',
  async () => {
    await using ground = await openGround();
    const other = await ground.start('other');
    mkdirSync(ground.path('P'));
    const devctl = join(process.cwd(), 'bin', 'devctl.js');
    const inRemoved = async (before: string, ...words: readonly string[]) => {
      mkdirSync(ground.path('P'), { recursive: true });
      const script = `cd P && rmdir ../P && ${before} && exec "$@"`;
      const node = [process.execPath, devctl, ...words];
      const env = { ...process.env, XDG_STATE_HOME: join(ground.state, '..') };
      const options = { cwd: ground.root, env, reject: false } as const;
      return execa('sh', ['-c', script, 'sh', ...node], options);
    };
    for (const words of READING) {
      const { exitCode, stderr } = await inRemoved('true', ...words);
      expect({ words, exitCode }).toEqual({ words, exitCode: 2 });
      expect(stderr).toContain(`the current folder was removed: ${ground.path('P')}`);
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(stderr.trim().split('\n').length).toBe(2);
    }
    const config = ground.path('other');
    expect(await inRemoved('true', 'status', '--config', config)).toMatchObject({ exitCode: 0 });
    expect(await inRemoved('true', 'stop', '--force')).toMatchObject({ exitCode: 0 });
    // Another folder is at that path by now, with a project in it.
    const cloned = await inRemoved(`cp -r ../other ../P`, 'stop', '--force');
    expect(cloned).toMatchObject({ exitCode: 2 });
    expect(cloned.stderr).toContain('another folder is at that path now');
    expect(other.living().length).toBe(3);
    rmSync(ground.path('P'), { recursive: true });
    await expectToEnd(ground, 'other', [other]);
  },
);

fullTest.runIf(hasSubreaper)(
  'stop --force in a removed folder ends what the kernel calls that folder, and nothing else',
  async () => {
    await using ground = await openGround();
    const run = await ground.start('P');
    const other = await ground.start('other');
    await killSupervisorOf(run);
    const devctl = join(process.cwd(), 'bin', 'devctl.js');
    const env = {
      ...process.env,
      XDG_STATE_HOME: join(ground.state, '..'),
      PWD: ground.path('other'),
    };
    const script = `cd P && rm -rf ../P && PWD='${ground.path('other')}' exec "$@"`;
    const words = [process.execPath, devctl, 'stop', '--force'];
    const stopped = await execa('sh', ['-c', script, 'sh', ...words], {
      cwd: ground.root,
      env,
      reject: false,
    });
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    expect(run.living()).toEqual([]);
    expect(other.living().length).toBe(3);
    await expectToEnd(ground, 'other', [other]);
  },
);
