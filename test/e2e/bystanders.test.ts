import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Bystander, bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { endProcesses } from '../support/end-processes.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { eachMode, fullTest } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const STOPS: [string[]][] = [[['stop']], [['stop', '--force']]];

async function endAll(bystanders: readonly Bystander[]): Promise<void> {
  await Promise.all(bystanders.map((one) => one[Symbol.asyncDispose]()));
}

fullTest.each(STOPS)('programs that look like services survive: %j', async (args) => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  await using elsewhere = await temporaryProject();
  const there = [
    'npm run dev',
    'node vitest --run',
    'esbuild --service=0.28.2 --ping',
    'node vite',
  ];
  const here = [
    'vim vite.config.ts',
    'nvim package.json',
    'code --wait vitest.config.ts',
    'claude',
  ];
  const innocent = await Promise.all([
    ...there.map((line) => bystander(line, elsewhere.root)),
    ...here.map((line) => bystander(line, project.root)),
  ]);
  await using _all = { [Symbol.asyncDispose]: () => endAll(innocent) };

  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, ...args)).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes()).toEqual([]);
  expect(innocent.map((one) => one.alive())).toEqual(innocent.map(() => true));
});

eachMode(STOPS)('a test run that was left in this project does not survive: %j', async (args) => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  // From another terminal: no process above it is above devctl too, and no record knows it.
  const [command = '', ...words] = fixture('bystander', 'npm', 'test');
  spawn('/bin/sh', ['-c', '"$0" "$@" &', command, ...words], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    stdio: 'ignore',
    detached: true,
  });
  await until(() => project.oracle.processes().some(({ argv }) => argv[0] === 'npm test'));
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, ...args)).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes()).toEqual([]);
});

eachMode(STOPS)('a program that reads the log of a service survives: %j', async (args) => {
  await using project = await temporaryProject({ services: { web: service('logger', ['hello']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const tail = spawn('tail', ['-f', project.file('.pids/logs/web.log')], {
    cwd: project.root,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(tail.stdout, 'data');
  expect(await devctl(project, ...args)).toMatchObject({ exitCode: 0 });
  expect([tail.exitCode, tail.signalCode]).toEqual([null, null]);
  tail.kill('SIGKILL');
  await once(tail, 'exit');
  expect(project.oracle.processes()).toEqual([]);
});

eachMode(STOPS)('the shell in the project that ran devctl survives: %j', async (args) => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  const program = join(repositoryRoot, 'bin', 'devctl.js');
  const shell = spawn('/bin/sh', [], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let said = '';
  shell.stdout.on('data', (data) => {
    said += data;
  });
  const type = (line: string) => shell.stdin.write(`${line}\n`);
  type(`sleep 119 & echo job $!`);
  type(`'${process.execPath}' '${program}' start >&2; echo started $?`);
  await until(() => said.includes('started 0'));
  type(`'${process.execPath}' '${program}' ${args.join(' ')} >&2; echo stopped $?`);
  await until(
    () => said.includes('stopped 0'),
    () => said,
  );
  // Only the shell and its background job are left, and both answer.
  type('kill -0 $! && echo the job lives');
  await until(() => said.includes('the job lives'));
  const left = project.oracle.everything().map(({ argv }) => argv.join(' '));
  expect(left.sort()).toEqual(['/bin/sh', 'sleep 119']);
  await endProcesses(project.oracle.everything);
});

eachMode(STOPS)(
  'services of other projects survive, also of one that was started inside ours: %j',
  async (args) => {
    await using ours = await temporaryProject({ services: { web: service('fan', ['2']) } });
    await using other = await temporaryProject({ services: { web: service('own-session') } });
    await using inner = await temporaryProject({ services: { web: service('double-fork') } });
    expect(await devctl(ours, 'start')).toMatchObject({ exitCode: 0 });
    expect(await devctl(other, 'start')).toMatchObject({ exitCode: 0 });
    // From a terminal below one of our services: every process of it carries our cookie.
    const [web] = ours.oracle.processes();
    const cookie = Object.fromEntries(
      (web?.environment ?? []).flatMap((entry) => {
        const [name = '', ...value] = entry.split('=');
        return /^(TURBO_)?DEVCTL_(PROJECT|SERVICE|RUN)$/.test(name)
          ? [[name, value.join('=')]]
          : [];
      }),
    );
    expect(Object.keys(cookie).length).toBe(6);
    expect(await devctlWith(inner, { env: cookie }, 'start')).toMatchObject({ exitCode: 0 });

    expect(await devctl(ours, ...args)).toMatchObject({ exitCode: 0 });
    expect(ours.oracle.processes()).toEqual([]);
    for (const neighbour of [other, inner]) {
      expect(neighbour.oracle.processes().length).toBe(2);
      expect(await devctl(neighbour, 'status')).toMatchObject({ exitCode: 0 });
      expect(await devctl(neighbour, 'stop')).toMatchObject({ exitCode: 0 });
      expect(neighbour.oracle.everything()).toEqual([]);
    }
  },
);
