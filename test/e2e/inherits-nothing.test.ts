import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { service, supervisorsOf } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const program = join(repositoryRoot, 'bin', 'devctl.js');

/** Runs a line of shell in which `devctl` is the program of this repository. */
function shell(project: TemporaryProject, line: string) {
  const define = `devctl() { '${process.execPath}' '${program}' "$@"; }; ${line}`;
  return execa('/bin/sh', ['-c', define], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    extendEnv: false,
    reject: false,
    all: true,
    timeout: 30_000,
  });
}

// A service that inherited the pipe would keep `cat` waiting for as long as it lives.
eachMode([
  'devctl start | cat',
  'devctl start 2>&1 | cat',
  'devctl start < /dev/null',
  'devctl start <&- ',
  'out=$(devctl start 2>&1); echo "$out"',
])('%s returns when the services are ready', async (line) => {
  await using project = await temporaryProject({
    services: {
      web: service('fan', ['2']),
      cat: { command: 'exec cat', ready: { delay: '50ms' } },
    },
  });
  const { timedOut, all } = await shell(project, line);
  expect(timedOut, all).toBe(false);
  expect(all).toContain('2 of 2 services are up');
  await until(() => project.oracle.processes().length === 4);
});

test('the certificates of the caller reach what the supervisor starts, and not the supervisor', async () => {
  const tell = 'echo "$NODE_EXTRA_CA_CERTS" >told';
  const web = service('sleeper', [], { stop: { command: tell } });
  await using project = await temporaryProject({ services: { web } });
  const value = '/etc/ssl/certs/ca-certificates.crt';
  const env = { NODE_EXTRA_CA_CERTS: value };
  expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
  const entry = `NODE_EXTRA_CA_CERTS=${value}`;
  const [leader] = project.oracle.processes();
  expect(leader?.environment).toContain(entry);
  const [supervisor] = supervisorsOf(project);
  expect(supervisor?.environment.length).toBeGreaterThan(0);
  expect(supervisor?.environment).not.toContain(entry);
  // At the end of a lease the supervisor itself runs the stop command.
  await devctl(project, 'start', '--ttl', '1s');
  await until(() => readFileSync(project.file('told'), 'utf8') === `${value}\n`);
});

test('no file descriptor of the caller reaches a service or the supervisor', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const path = project.write('held-by-the-caller', '');
  const held = openSync(path, 'r');
  // Beside the file it has a pipe, which ends when the last process that holds it closes it.
  const child = spawn(process.execPath, [program, 'start'], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'ignore', 'pipe', held, held],
  });
  closeSync(held);
  let open = 2;
  for (const pipe of [child.stdio[3], child.stdio[5 as 3]]) {
    pipe?.once('close', () => {
      open -= 1;
    });
    (pipe as NodeJS.ReadableStream | null)?.resume();
  }
  await until(() => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  await until(
    () => open === 0,
    () => `${open} pipes of the caller are still open`,
  );
  const running = project.oracle.everything();
  expect(running.length).toBeGreaterThanOrEqual(2);
  expect(running.filter(({ files }) => files.includes(path))).toEqual([]);
});

test.runIf(process.platform === 'linux')(
  'the output of a service goes straight to the log',
  async () => {
    await using project = await temporaryProject({
      services: { web: service('logger', ['hello']) },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const [web] = project.oracle.processes();
    const log = project.file('.pids/logs/web.log');
    expect(readlinkSync(`/proc/${web?.pid}/fd/1`)).toBe(log);
    expect(readlinkSync(`/proc/${web?.pid}/fd/2`)).toBe(log);
    expect(readFileSync(log, 'utf8')).toBe('hello\nready\n');
  },
);

test('a service that reads stdin stays alive, and its stdin can be written to', async () => {
  await using project = await temporaryProject({
    services: { echo: { command: fixture('stdin-echo', 'echoed'), ready: { log: '^ready$' } } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const first = project.oracle.processes().map(({ pid }) => pid);
  expect(first.length).toBe(1);
  await shell(project, 'echo hello > .pids/stdin/echo; echo again > .pids/stdin/echo');
  await until(() => readFileSync(project.file('echoed'), 'utf8') === 'hello\nagain\n');
  expect(project.oracle.processes().map(({ pid }) => pid)).toEqual(first);
});

fullTest('esbuild --watch as a service stays alive, watches, and is gone after stop', async () => {
  const esbuild = createRequire(import.meta.url).resolve('esbuild/bin/esbuild');
  const args = ['in.js', '--outfile=out.js', '--watch'];
  await using project = await temporaryProject(
    { services: { build: { command: [esbuild, ...args], ready: { exec: 'test -f out.js' } } } },
    { 'in.js': 'console.log("first")\n' },
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => readFileSync(project.file('out.js'), 'utf8').includes('first'));
  expect(project.oracle.processes()).not.toEqual([]);
  await until(() => {
    project.write('in.js', 'console.log("second")\n');
    return readFileSync(project.file('out.js'), 'utf8').includes('second');
  });
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});
