import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { newsOfEnd } from '../../src/processes/own-children.ts';
import { loadSpawn, runToEnd, runToEndSync, type SpawnPlace } from '../../src/processes/spawn.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { needsRoot } from './support/nobody.ts';
import { runScript } from './support/script.ts';

const spawnChild = await loadSpawn();
const PATH = process.env.PATH ?? '';
const QUIET = ['ignore', 'ignore', 'ignore'] as const;

function placeIn(project: TemporaryProject, more: Partial<SpawnPlace> = {}): SpawnPlace {
  return { cwd: project.root, env: { PATH, ...project.env }, stdio: QUIET, ...more };
}

/** Returns the output of a shell into a file that it gets as a raw descriptor. */
async function printed(
  project: TemporaryProject,
  script: string,
  more: Partial<SpawnPlace> = {},
): Promise<string> {
  const file = project.file('printed');
  const fd = openSync(file, 'w');
  const place = placeIn(project, { stdio: ['ignore', fd, fd], ...more });
  const { child } = spawnChild('/bin/sh', ['-c', script], place);
  closeSync(fd);
  if (!child) throw new Error('It was not spawned');
  await once(child, 'exit');
  return readFileSync(file, 'utf8');
}

describe('a child', () => {
  test.runIf(process.platform === 'linux')(
    'has exactly the environment that was asked for',
    async () => {
      vi.stubEnv('DEVCTL_TEST_OURS', 'ours');
      onTestFinished(() => void vi.unstubAllEnvs());
      await using project = await temporaryProject();
      const env = { PATH: '/usr/bin:/bin', EMPTY: '', ODD: 'a=b\nc', LEFT_OUT: undefined };
      const text = await printed(project, 'tr "\\0" "\\n" < /proc/$$/environ', { env });
      expect(text).toBe('PATH=/usr/bin:/bin\nEMPTY=\nODD=a=b\nc\n');
    },
  );

  test('has a fourth descriptor too', async () => {
    await using project = await temporaryProject(undefined, { fourth: '' });
    const fd = openSync(project.file('fourth'), 'w');
    await printed(project, 'echo told >&3', { stdio: [...QUIET, fd] });
    closeSync(fd);
    expect(readFileSync(project.file('fourth'), 'utf8')).toBe('told\n');
  });

  test('leads a session, keeps no handler of ours, and is known as ours at once', async () => {
    await using project = await temporaryProject();
    const handlers = process.listenerCount('exit');
    const { child, ...spawned } = spawnChild('sleep', ['100'], placeIn(project));
    if (!child || !('pid' in spawned)) throw new Error('It was not spawned');
    expect(newsOfEnd(spawned.pid)).not.toBeNull();
    expect(process.listenerCount('exit')).toBe(handlers);
    const exit = once(child, 'exit');
    const { stdout } = spawnSync('ps', ['-o', 'pgid=,sess=', '-p', `${spawned.pid}`]);
    expect(stdout.toString().trim().split(/\s+/)).toEqual([`${spawned.pid}`, `${spawned.pid}`]);
    child.kill('SIGTERM');
    expect(await exit).toEqual([null, 'SIGTERM']);
    expect(newsOfEnd(spawned.pid)).toBeNull();
  });
});

describe('a child that there cannot be', () => {
  test.each<[string, string, readonly string[], Partial<SpawnPlace>]>([
    ['ENOENT', 'devctl-no-such-program', [], {}],
    ['ENOENT', 'true', [], { cwd: '/devctl-no-such-folder' }],
    ['EACCES', './text', [], {}],
    ['E2BIG', 'echo', ['x'.repeat(4_000_000)], {}],
    ['ERR_INVALID_ARG_VALUE', 'echo', [], { env: { NUL: 'a\0b' } }],
    ['ENOTDIR', 'true', [], { cwd: '/dev/null' }],
  ])('is told with the system’s own word: %s', async (code, file, args, more) => {
    await using project = await temporaryProject(undefined, { text: '' });
    const spawned = spawnChild(file, args, placeIn(project, more));
    expect(spawned.child).toBeNull();
    if (spawned.child) throw new Error('It was spawned');
    expect(await spawned.failure).toMatchObject({ code });
  });

  test('for arguments that execa itself refuses', async () => {
    await using project = await temporaryProject();
    const spawned = spawnChild('echo', ['a\0b'], placeIn(project));
    if (spawned.child) throw new Error('It was spawned');
    expect(await spawned.failure).toBeInstanceOf(Error);
  });

  test('at the process limit, with no promise that rejects unheard', async () => {
    needsRoot();
    const answer = await runScript(
      `import { loadSpawn, runToEnd } from './spawn.ts';
       const unheard = [];
       process.on('unhandledRejection', (error) => unheard.push(String(error)));
       const spawnChild = await loadSpawn();
       await runToEnd('prlimit', ['--nproc=1:1', '--pid', String(process.pid)], process.env);
       const place = { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'pipe'] };
       const { failure } = spawnChild('/bin/true', [], place);
       const codes = [(await failure).code, (await runToEnd('/bin/true', [], {})).error.code];
       await new Promise((resolve) => setTimeout(resolve, 50));
       answer({ codes, unheard });`,
      { asNobody: true },
    );
    expect(answer).toEqual({ codes: ['EAGAIN', 'EAGAIN'], unheard: [] });
  });

  test('where our own folder has been removed', async () => {
    const answer = await runScript(
      `import { mkdtempSync, rmdirSync } from 'node:fs';
       import { loadSpawn, runToEnd } from './spawn.ts';
       const unheard = [];
       process.on('unhandledRejection', (error) => unheard.push(String(error)));
       const folder = mkdtempSync('/tmp/devctl-gone-');
       process.chdir(folder);
       rmdirSync(folder);
       const spawnChild = await loadSpawn();
       const place = { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'ignore'] };
       const { failure } = spawnChild('/no/such/program', [], place);
       const { syscall } = await failure;
       const { error } = await runToEnd('/no/such/program', [], {});
       const { stdout } = await runToEnd('/bin/pwd', [], {});
       await new Promise((resolve) => setTimeout(resolve, 50));
       answer({ syscall, same: error.syscall, stdout, unheard });`,
    );
    const syscall = 'spawn /no/such/program';
    expect(answer).toEqual({ syscall, same: syscall, stdout: '/\n', unheard: [] });
  });
});

test('NODE_DEBUG=execa prints nothing', async () => {
  const answer = await runScript(
    `import { loadSpawn, runToEnd } from './spawn.ts';
     let said = '';
     process.stderr.write = (text) => { said += text; return true; };
     const spawnChild = await loadSpawn();
     const place = { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'ignore'] };
     spawnChild('/bin/true', ['secret'], place);
     await runToEnd('/bin/false', ['secret'], {});
     answer(said);`,
    { env: { NODE_DEBUG: 'execa' } },
  );
  expect(answer).toBe('');
});

describe('a program that runs to its end', () => {
  test('gives what it printed, byte for byte, and its exit code', async () => {
    const { pid, ...end } = await runToEnd(
      'sh',
      ['-c', 'printf "\\303\\251\\377\\n\\n"; echo no >&2; exit 3'],
      { PATH },
    );
    expect(end).toEqual({ exitCode: 3, error: undefined, stdout: 'Ã©ÿ\n\n', stderr: 'no\n' });
    expect(pid).toBeGreaterThan(1);
  });

  test('has no exit code where a signal ended it, and an error where there is no such program', async () => {
    const killed = await runToEnd('sh', ['-c', 'kill -KILL $$'], { PATH });
    expect(killed).toMatchObject({ exitCode: undefined, error: undefined });
    const none = await runToEnd('devctl-no-such-program', [], { PATH });
    expect(none).toMatchObject({ exitCode: undefined, error: { code: 'ENOENT' }, stdout: '' });
  });

  test('gives the same without a turn of the event loop', () => {
    const { pid: _, ...end } = runToEndSync('sh', ['-c', 'echo "$ONLY"; exit 3'], { ONLY: 'x' });
    expect(end).toEqual({ exitCode: 3, error: undefined, stdout: 'x\n', stderr: '' });
    const none = runToEndSync('devctl-no-such-program', [], { PATH });
    expect(none).toMatchObject({ exitCode: undefined, error: { code: 'ENOENT' } });
  });
});
