import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bystander } from './bystander.ts';
import { cleanEnvironment } from './clean-environment.ts';
import { endProcesses } from './end-processes.ts';
import { fixture, repositoryRoot } from './paths.ts';
import { readProcesses } from './read-processes.ts';
import { readProcessesPortably } from './read-processes-portably.ts';
import { type TemporaryProject, temporaryProject } from './temporary-project.ts';
import { until } from './until.ts';

function run(project: TemporaryProject, name: string, ...args: readonly string[]): ChildProcess {
  const [command = '', ...rest] = fixture(name, ...args);
  const env = { ...cleanEnvironment(), ...project.env };
  return spawn(command, rest, { cwd: project.root, env, stdio: 'ignore', detached: true });
}

test.each([
  ['sleeper', [], 1],
  ['stubborn', ['2'], 3],
  ['double-fork', [], 2],
  ['double-fork', ['--empty-env'], 2],
  ['leaves-daemon', [], 1],
  ['own-session', ['--empty-env'], 2],
  ['own-group', [], 2],
  ['needs-grace', ['cleaned'], 2],
  ['chain', ['4'], 4],
  ['fan', ['6'], 7],
  ['stopped', [], 2],
  ['zombie-maker', [], 2],
] as const)('sees all of %s %j: %i', async (name, args, count) => {
  await using project = await temporaryProject();
  run(project, name, ...args);
  const seen = () => project.oracle.processes();
  await until(
    () => seen().length === count,
    () => JSON.stringify(seen().map((one) => one.argv)),
  );
});

test('sees a double-forked daemon without environment, folder or session of the project', async () => {
  await using project = await temporaryProject();
  run(project, 'double-fork', '--empty-env');
  const daemon = await until(() => project.oracle.processes().find((one) => one.cwd === '/'));
  expect(daemon.environment).toEqual([]);
  expect(daemon.files).toContain(project.marker);
});

test('disposal ends a fork storm and stubborn children', async () => {
  const project = await temporaryProject();
  run(project, 'fork-storm', '30', '1000');
  run(project, 'stubborn', '3');
  await until(() => project.oracle.processes().length > 10);
  await project[Symbol.asyncDispose]();
  expect(project.oracle.everything()).toEqual([]);
});

test('a bystander in the project folder is not counted, yet ended on disposal', async () => {
  await using project = await temporaryProject();
  await using vim = await bystander('vim vite.config.ts', project.root);
  expect(project.oracle.processes()).toEqual([]);
  const [itself] = project.oracle.everything();
  expect(itself?.pid).toBe(vim.pid);
  expect(itself?.argv).toEqual(['vim vite.config.ts']);
  await endProcesses(project.oracle.everything);
  await until(() => !vim.alive());
});

const lacksLsof = spawnSync('lsof', ['-v']).error !== undefined;

test.skipIf(lacksLsof)('ps and lsof see the same as /proc', async () => {
  await using project = await temporaryProject();
  run(project, 'own-session');
  await until(() => project.oracle.processes().find((one) => one.argv[1]?.endsWith('sleeper.mjs')));
  const mine = project.oracle.processes();
  expect(mine.length).toBe(2);
  const portable = new Map(readProcessesPortably().map((one) => [one.pid, one]));
  for (const one of mine) {
    const same = portable.get(one.pid);
    expect(same).toMatchObject({ ppid: one.ppid, pgid: one.pgid, cwd: one.cwd, zombie: false });
    expect(same?.files).toContain(project.marker);
    expect(same?.environment).toContain(`TURBO_DEVCTL_ORACLE=${project.root}`);
  }
});

test('a zombie is not counted', async () => {
  await using project = await temporaryProject();
  run(project, 'zombie-maker');
  await until(() => {
    const holders = project.oracle.processes().filter((one) => one.argv[0] === 'sleep');
    return readProcesses().find(
      (one) => one.zombie && holders.some((holder) => holder.pid === one.ppid),
    );
  });
  expect(project.oracle.processes().some((one) => one.zombie)).toBe(false);
});

test.each([
  ['a program', '/server.js', 1],
  ['devctl', `${repositoryRoot}bin/devctl.js`, 0],
])('%s that has a file of the test open, and works elsewhere: %#', async (_what, name, count) => {
  await using project = await temporaryProject();
  const open = `require('node:fs').openSync(${JSON.stringify(project.marker)}); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['-e', open, name], { cwd: '/', env: cleanEnvironment() });
  try {
    const hasOpened = () =>
      readProcesses().some(({ pid, files }) => pid === child.pid && files.includes(project.marker));
    await until(hasOpened);
    expect(project.oracle.everything().length).toBe(count);
  } finally {
    child.kill('SIGKILL');
  }
});
