import {
  appendFileSync,
  chmodSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ResourceLimits } from '../../../src/manifest/resolved.ts';
import { type LaunchPlace, launch } from '../../../src/services/launch/launch.ts';
import { readProcesses } from '../../support/read-processes.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

const PATH = process.env.PATH ?? '';

function start(
  project: TemporaryProject,
  command: string | readonly string[],
  place: Partial<LaunchPlace> = {},
  cwd = project.root,
) {
  return launch(
    { command, cwd },
    {
      env: { PATH, ...project.env },
      logFile: project.file('web.log'),
      stdinPath: null,
      ...place,
    },
  );
}

async function started(...parameters: Parameters<typeof start>) {
  const result = await start(...parameters);
  if (result.kind === 'failed') throw new Error(result.reason);
  return result;
}

/** The command of a service that prints its limits. */
function limited(
  project: TemporaryProject,
  command: string | readonly string[],
  resources: ResourceLimits,
  env: Readonly<Record<string, string>> = {},
) {
  return launch(
    { command, cwd: project.root, resources },
    { env: { PATH, ...project.env, ...env }, logFile: project.file('web.log'), stdinPath: null },
  );
}

const log = (project: TemporaryProject) => readFileSync(project.file('web.log'), 'utf8');

describe.runIf(process.platform === 'linux')('the service inherits from us', () => {
  test('three files: its FIFO as stdin, its log as stdout and stderr', async () => {
    await using project = await temporaryProject();
    const fifo = project.file('web.stdin');
    const { pid } = await started(project, ['sleep', '100'], { stdinPath: fifo });
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => [
      fd,
      readlinkSync(`/proc/${pid}/fd/${fd}`),
    ]);
    expect(files).toEqual([
      ['0', fifo],
      ['1', project.file('web.log')],
      ['2', project.file('web.log')],
    ]);
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/0`, 'utf8'))?.[1] ?? '';
    const { O_RDWR, O_NONBLOCK } = constants;
    // With O_NONBLOCK the service's reads would fail (libuv takes it off, should we ever set it).
    expect(Number.parseInt(flags, 8) & (O_RDWR | O_NONBLOCK)).toBe(O_RDWR);
  });

  test('while we keep none of its files', async () => {
    await using project = await temporaryProject();
    const ours = () =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)].filter((file) =>
            file.startsWith(project.root),
          );
        } catch {
          return [];
        }
      });
    await started(project, ['sleep', '100'], { stdinPath: project.file('web.stdin') });
    expect(ours()).toEqual([]);
    await start(project, ['no-such-command'], { stdinPath: project.file('web.stdin') });
    expect(ours()).toEqual([]);
  });

  test('exactly the environment, the arguments and the folder that were asked for', async () => {
    await using project = await temporaryProject();
    const folder = project.file('sub');
    mkdirSync(folder);
    const env = { PATH, EMPTY: '', ODD: 'a=b "c" $d\nnext', ...project.env };
    const { pid } = await started(project, ['sleep', '100'], { env }, folder);
    const seen = readProcesses().find((one) => one.pid === pid);
    expect(seen?.environment.toSorted()).toEqual(
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
    );
    expect(seen?.argv).toEqual(['sleep', '100']);
    expect(seen?.cwd).toBe(folder);
  });
});

test('the leader leads a session and a group of its own', async () => {
  await using project = await temporaryProject();
  const { pid } = await started(project, 'sleep 100; true');
  const seen = readProcesses().find((one) => one.pid === pid);
  expect(seen).toMatchObject({ pgid: pid, ppid: process.pid });
  if (process.platform === 'linux') expect(seen?.sid).toBe(pid);
});

test.each<[string, string | readonly string[], object]>([
  ['a code', 'exit 3', { code: 3, signal: null }],
  ['code 0', ['true'], { code: 0, signal: null }],
  ['a signal', 'kill -TERM $$', { code: null, signal: 'SIGTERM' }],
  ['a child that holds the log', 'sleep 100 & exit 4', { code: 4, signal: null }],
])('how it ended: %s', async (_name, command, exit) => {
  await using project = await temporaryProject();
  const { exited } = await started(project, command);
  expect(await exited).toEqual(exit);
});

test('a string goes through the shell, a list does not', async () => {
  await using project = await temporaryProject();
  await (await started(project, 'echo one $((1 + 1)) && echo "three  four"')).exited;
  await (await started(project, ['echo', '$HOME', '*'])).exited;
  expect(log(project)).toBe('one 2\nthree  four\n$HOME *\n');
});

test('stdin: a typed line arrives, and the end of the file never comes', async () => {
  await using project = await temporaryProject();
  const fifo = project.file('web.stdin');
  const { pid } = await started(project, ['cat'], { stdinPath: fifo });
  appendFileSync(fifo, 'rs\n');
  await until(() => log(project) === 'rs\n');
  appendFileSync(fifo, 'again\n');
  await until(() => log(project) === 'rs\nagain\n');
  expect(project.oracle.processes().map((one) => one.pid)).toEqual([pid]);
  expect(statSync(fifo).mode & 0o777).toBe(0o600);
});

test('stdin null: the end of the file comes at once', async () => {
  await using project = await temporaryProject();
  const { exited } = await started(project, ['cat']);
  expect(await exited).toEqual({ code: 0, signal: null });
});

test('a FIFO can be made without another process', async () => {
  await using project = await temporaryProject();
  const asked: string[] = [];
  const result = await start(project, ['cat'], {
    stdinPath: project.file('web.stdin'),
    makeFifo: (path) => {
      asked.push(path);
      writeFileSync(path, '', { mode: 0o600 });
    },
  });
  expect(asked).toEqual([project.file('web.stdin')]);
  // devctl checks the file that the function made.
  expect(result).toMatchObject({ kind: 'failed', reason: expect.stringContaining('was replaced') });
});

test('the log is private, appended to, and the run knows where it began', async () => {
  await using project = await temporaryProject();
  const first = await started(project, ['echo', 'first']);
  await first.exited;
  const second = await started(project, 'echo second; echo error >&2');
  await second.exited;
  expect([first.logOffset, second.logOffset]).toEqual([0, 6]);
  expect(log(project)).toBe('first\nsecond\nerror\n');
  expect(statSync(project.file('web.log')).mode & 0o777).toBe(0o600);
});

describe('a log path that cannot be used', () => {
  test.each<[string, string, (project: TemporaryProject, path: string) => void]>([
    ['a link', 'it is a symbolic link', (project, path) => symlinkSync(project.marker, path)],
    ['a folder', 'EISDIR', (_project, path) => mkdirSync(path)],
    ['in a folder that is not there', 'ENOENT', () => {}],
  ])('%s', async (name, reason, prepare) => {
    await using project = await temporaryProject();
    const path = project.file(name.startsWith('in') ? 'gone/web.log' : 'web.log');
    prepare(project, path);
    const result = await start(project, ['true'], { logFile: path });
    expect(result).toEqual({
      kind: 'failed',
      reason: `the log ${path} cannot be opened: ${reason}`,
    });
    expect(readFileSync(project.marker, 'utf8')).toBe('');
  });

  test('a hard link to another file: that file is not written to', async () => {
    await using project = await temporaryProject(undefined, { 'other.txt': '' });
    const path = project.file('web.log');
    linkSync(project.file('other.txt'), path);
    const result = await start(project, ['echo', 'text'], { logFile: path });
    const reason = `the log ${path} cannot be used: it has a second name (a hard link)`;
    expect(result).toEqual({ kind: 'failed', reason });
    expect(readFileSync(project.file('other.txt'), 'utf8')).toBe('');
  });

  test('a FIFO: it does not wait for a reader, and is not written to', async () => {
    await using project = await temporaryProject();
    const fifo = project.file('web.stdin');
    const cat = await started(project, ['cat'], { stdinPath: fifo });
    const result = await start(project, ['true'], { logFile: fifo });
    expect(result).toEqual({
      kind: 'failed',
      reason: `the log ${fifo} cannot be used: not a regular file`,
    });
    process.kill(cat.pid, 'SIGTERM');
    await cat.exited;
    expect(await start(project, ['true'], { logFile: fifo })).toMatchObject({ kind: 'failed' });
  });
});

describe('a service that cannot be started', () => {
  test.each<[string, readonly string[], string]>([
    ['no such command', ['no-such-command-x'], 'command "no-such-command-x" was not found in PATH'],
    ['no such file', ['./gone'], 'command ROOT/gone does not exist'],
    ['a file that is no program', ['./text'], 'ROOT/text is not an executable file (chmod +x?)'],
    [
      'a script without its interpreter',
      ['./script'],
      'ROOT/script cannot be started: its interpreter /no/such/interpreter does not exist',
    ],
    [
      'a script with the line ends of Windows',
      ['./crlf'],
      'ROOT/crlf cannot be started: its first line ends in CRLF, as on Windows, so its interpreter would be "/bin/sh\\r"',
    ],
    [
      'a command of the project',
      ['vite'],
      'command "vite" was not found in PATH (there is node_modules/.bin/vite: use npx, or name it so)',
    ],
  ])('%s', async (_name, command, reason) => {
    await using project = await temporaryProject(undefined, {
      text: 'hello',
      script: '#!/no/such/interpreter -x\n',
      crlf: '#!/bin/sh\r\nexit 0\r\n',
      'node_modules/.bin/vite': '',
    });
    for (const file of ['script', 'crlf']) chmodSync(project.file(file), 0o755);
    const result = await start(project, command, { env: { PATH: '/usr/bin:/bin' } });
    expect(result).toEqual({ kind: 'failed', reason: reason.replaceAll('ROOT', project.root) });
  });

  test.each([
    ['gone', 'its working directory ROOT/gone does not exist'],
    ['.marker', 'its working directory ROOT/.marker is not a folder'],
  ])('in %s', async (folder, reason) => {
    await using project = await temporaryProject();
    for (const command of ['true', ['true'], ['no-such-command-x']]) {
      const result = await start(project, command, {}, project.file(folder));
      expect(result).toEqual({ kind: 'failed', reason: reason.replaceAll('ROOT', project.root) });
    }
  });

  test('arguments that are too long for the system', async () => {
    await using project = await temporaryProject();
    expect(await start(project, ['echo', 'x'.repeat(4_000_000)])).toEqual({
      kind: 'failed',
      reason: 'its arguments and environment are too long for the system',
    });
    expect(await start(project, ['echo', 'a\0b'])).toMatchObject({ kind: 'failed' });
  });
});

describe('resource limits', () => {
  const script = 'ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc';

  test.each<[string, string | readonly string[], ResourceLimits, string]>([
    ['a text', script, { openFiles: 77, core: 0 }, '77\n77\n0\n0\n'],
    ['a list', ['sh', '-c', script], { openFiles: 77, core: 1 }, '77\n77\n1\n1\n'],
  ])('hold for %s', async (_what, command, resources, expected) => {
    await using project = await temporaryProject();
    const result = await limited(project, command, resources);
    if (result.kind === 'failed') throw new Error(result.reason);
    expect(await result.exited).toEqual({ code: 0, signal: null });
    expect(log(project)).toBe(expected);
  });

  test('the command is the leader itself, with every variable that it was given', async () => {
    await using project = await temporaryProject();
    const print = 'console.log(process.pid, process.env["odd.name"], process.argv[1])';
    const command = [process.execPath, '-e', print, 'a  b "c" $d'];
    const env = { 'odd.name': 'x=y z' };
    const result = await limited(project, command, { openFiles: 99, core: null }, env);
    if (result.kind === 'failed') throw new Error(result.reason);
    await result.exited;
    expect(log(project)).toBe(`${result.pid} x=y z a  b "c" $d\n`);
  });

  test('that cannot be set, and a missing command, are reported before anything runs', async () => {
    await using project = await temporaryProject();
    const few: ResourceLimits = { openFiles: 64, core: null };
    expect(await limited(project, ['no-such-program'], few)).toEqual({
      kind: 'failed',
      reason: 'command "no-such-program" was not found in PATH',
    });
    expect(await limited(project, ['./web.log'], few)).toMatchObject({
      reason: expect.stringContaining('is not an executable file'),
    });
    expect(await limited(project, ['true'], few)).toMatchObject({ kind: 'launched' });
  });
});
