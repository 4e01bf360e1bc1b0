import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectTo } from '../../src/client/client.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { repositoryRoot } from '../support/paths.ts';
import { describeSeen } from '../support/seen-process.ts';
import { guardsOf, supervisorsOf } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Starts a supervisor by hand, with a log of our choice. SIGUSR2 and SIGWINCH make it fail. */
async function supervisorWith(project: TemporaryProject, log: string): Promise<ChildProcess> {
  mkdirSync(project.file('.pids'), { mode: 0o700 });
  const file = openSync(log, 'a');
  const faults = `
    process.on('SIGUSR2', () => void Promise.reject(new Error('forgotten')));
    process.on('SIGWINCH', () => { throw new Error('broken'); });`;
  const script = join(repositoryRoot, 'dist', 'supervisor', 'main.js');
  const parameters = [script, project.root, project.file('.pids')];
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(faults)}`, ...parameters],
    {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env },
      stdio: ['ignore', file, file, 'pipe'],
    },
  );
  closeSync(file);
  const [ready] = child.stdio.slice(3);
  if (!ready) throw new Error('It has no pipe to say that it is ready');
  await once(ready, 'data');
  return child;
}

function clientOf(project: TemporaryProject) {
  const record = readFileSync(project.file('.pids/supervisor.json'), 'utf8');
  return connectTo(JSON.parse(record).socket);
}

test.runIf(process.platform === 'linux')('a full disk does not end the supervisor', async () => {
  await using project = await temporaryProject({ services: {} });
  const { pid } = await supervisorWith(project, '/dev/full');
  const client = clientOf(project);
  for (const body of ['no start', 'no start either']) {
    await expect(client.stream('/start', body, () => {})).rejects.toThrow(/refused/);
  }
  expect(await client.hello(5_000)).toMatchObject({ pid });
});

test('an unhandled rejection does not end the supervisor, an uncaught exception does', async () => {
  await using project = await temporaryProject({ services: {} });
  const log = project.file('test.log');
  const child = await supervisorWith(project, log);
  const exited = once(child, 'exit');
  child.kill('SIGUSR2');
  await until(() => readFileSync(log, 'utf8').includes('unhandled: Error: forgotten'));
  expect(await clientOf(project).hello(5_000)).toMatchObject({ pid: child.pid });
  child.kill('SIGWINCH');
  expect(await exited).toEqual([1, null]);
  expect(readFileSync(log, 'utf8')).toContain('uncaught: Error: broken');
});

test.each([['main.js'], ['guard.cjs']])(
  'a supervisor whose starter has ended while it came up ends as well, and disturbs no other: %s',
  async (script) => {
    await using project = await temporaryProject({ services: {} });
    const other = await supervisorWith(project, project.file('test.log'));
    // Keeps it from ending for idleness.
    const over = new AbortController();
    const listening = clientOf(project).samples(() => {}, over.signal);
    const folder = join(repositoryRoot, 'dist', 'supervisor');
    const late = spawn(
      process.execPath,
      [join(folder, script), project.root, project.file('.pids')],
      {
        cwd: project.root,
        env: { ...cleanEnvironment(), ...project.env },
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    );
    late.stdio[3]?.destroy();
    await once(late, 'exit');
    const left = () => [...supervisorsOf(project), ...guardsOf(project)];
    await until(
      () => left().every(({ pid }) => pid === other.pid),
      () => left().map(describeSeen).join('\n'),
    );
    expect(await clientOf(project).hello(5_000)).toMatchObject({ pid: other.pid });
    over.abort();
    await listening;
  },
);
