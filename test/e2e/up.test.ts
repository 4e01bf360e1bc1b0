import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { devctl, startDevctl } from '../support/devctl.ts';
import { guardsOf, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

/** The processes of the project without the command itself. */
function left(project: TemporaryProject): string[] {
  return project.oracle.everything().map(({ argv }) => argv.join(' '));
}

const WEB = service('sleeper');
const TESTS = {
  command: 'echo testing; read line; echo "done: $line"; exit 7',
  dependsOn: ['web'],
};

test('up in CI exits with the code of one service and leaves nothing', async () => {
  await using project = await temporaryProject({ services: { web: WEB, tests: TESTS } });
  const up = startDevctl(project, {}, 'up', '--exit-code-from', 'tests');
  let notes = '';
  up.stderr.on('data', (chunk: Buffer) => {
    notes += chunk.toString();
  });
  await until(() => notes.includes('2 of 2 services are up'));
  // A restart ends the service as well, but `up` goes on.
  expect(await devctl(project, 'restart', 'tests')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'send', 'tests', 'go')).toMatchObject({ exitCode: 0 });
  const { exitCode, stdout, stderr } = await up;
  expect(stdout.split('\n')).toEqual([
    'web    | ready',
    'tests  | testing',
    'tests  | testing',
    'tests  | done: go',
  ]);
  expect(stderr).toMatch(/^devctl \| web ready in /m);
  expect(stderr).toContain('devctl | tests exited with code 7: stopping\n');
  expect(stderr).toContain('nothing is left');
  expect({ exitCode, left: left(project) }).toEqual({ exitCode: 7, left: [] });

  const wrong = await devctl(project, 'up', 'web', '--exit-code-from', 'tests');
  expect(wrong.stderr).toContain('devctl up web tests --exit-code-from tests');
  expect(wrong).toMatchObject({ exitCode: 2, stdout: '' });
});

test('up leaves nothing after SIGTERM, SIGHUP, SIGKILL and the end of its supervisor', async () => {
  await using project = await temporaryProject({ services: { web: WEB } });
  const begin = async () => {
    const up = startDevctl(project, {}, 'up', '--json');
    const lines: string[] = [];
    up.stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n')));
    await until(() => lines.some((line) => line.includes('"to":"ready"')));
    // The start is over when it has given the lock back. Before that a killed supervisor makes it fail.
    await until(() => !existsSync(project.file('.pids/lock')));
    // In an object, because an async function would wait for the end of the promise itself.
    return { up };
  };
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const { up } = await begin();
    up.kill(signal);
    const { exitCode, stdout } = await up;
    const documents = stdout.split('\n').map((line) => JSON.parse(line));
    expect(documents.find(({ type }) => type === 'line')).toMatchObject({ service: 'web' });
    expect(documents.at(-1)).toMatchObject({
      version: 1,
      type: 'report',
      exitCode: code,
      report: { kind: 'stop', survivors: [] },
    });
    expect({ exitCode, left: left(project) }).toEqual({ exitCode: code, left: [] });
  }

  const { up: killed } = await begin();
  killed.kill('SIGKILL');
  await killed;
  // The supervisor notices the end of `up` by itself.
  await until(
    () => left(project).length === 0,
    () => left(project).join('\n'),
  );

  const { up: orphaned } = await begin();
  let notes = '';
  orphaned.stderr.on('data', (chunk: Buffer) => {
    notes += chunk.toString();
  });
  await signalSupervisor(project, 'SIGKILL');
  await until(
    () => notes.includes('a new supervisor has taken over'),
    () => notes,
  );
  expect(supervisorsOf(project)).toHaveLength(1);
  orphaned.kill('SIGKILL');
  await orphaned;
  await until(
    () => left(project).length === 0,
    () => left(project).join('\n'),
  );
  expect(guardsOf(project)).toEqual([]);
});

test('services that ran before go on after up, unless up has named them; other commands work meanwhile', async () => {
  const web = service('sleeper', [], { dependsOn: ['database'] });
  await using project = await temporaryProject({ services: { database: WEB, web } });
  await devctl(project, 'start', 'database');
  const services = { database: { ...WEB, env: { MODE: 'b' } }, web };
  project.write('.devctl.json', JSON.stringify({ services }));
  const up = startDevctl(project, {}, 'up', 'web');
  let notes = '';
  up.stderr.on('data', (chunk: Buffer) => {
    notes += chunk.toString();
  });
  const expectNote = (text: string) =>
    until(
      () => notes.includes(text),
      () => notes,
    );
  await expectNote('ran before, goes on after this: database (changed)');
  await expectNote('changed since they were started: database (env)');
  expect(await devctl(project, 'restart', 'web')).toMatchObject({ exitCode: 0 });
  await expectNote('web was stopped');
  await until(() => (notes.match(/web ready/g) ?? []).length === 2);
  expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
  // The service that is left was not started by this command.
  up.kill('SIGTERM');
  expect(await up).toMatchObject({ exitCode: 143 });
  const { services: seen } = JSON.parse((await devctl(project, 'status', '--json')).stdout);
  expect(seen).toMatchObject([
    { name: 'database', state: 'ready' },
    { name: 'web', state: 'stopped' },
  ]);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test.skipIf(spawnSync('tmux', ['-V']).error !== undefined)(
  'up on a terminal: Ctrl-C stops, a second one kills, and a closed terminal leaves nothing',
  async () => {
    await using project = await temporaryProject({
      services: { web: service('stubborn', ['1'], { stop: { grace: '10m' } }), b: WEB },
    });
    {
      await using terminal = await openTerminal(project);
      await terminal.type('devctl up; echo code=$?');
      await until(async () => /^web +\| ready/m.test(await terminal.screen()));
      await until(async () => (await terminal.screen()).includes('2 of 2 services are up'));
      await terminal.press('C-c');
      await until(async () =>
        /interrupted: stopping[\s\S]*waiting for web/.test(await terminal.screen()),
      );
      await terminal.press('C-c');
      await until(async () => (await terminal.screen()).includes('code=130'));
      const screen = await terminal.screen();
      expect(screen).toContain('killing what is left');
      expect(screen).toMatch(/✓ web: stopped in .*2 killed/);
      expect(screen).toContain('nothing is left');

      await terminal.type('clear; devctl up b');
      await until(async () => /b ready/.test(await terminal.screen()));
    }
    // The terminal is gone, so nothing can be printed.
    const ours = () => left(project).filter((line) => /sleeper|supervisor|guard/.test(line));
    await until(
      () => ours().length === 0,
      () => ours().join('\n'),
    );
  },
);
