import { expect, test } from 'vitest';
import { execProbe } from '../../../src/services/probes/exec.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

const never = () => new AbortController().signal;
const open = (project: TemporaryProject, command: string | readonly string[]) =>
  execProbe(
    { kind: 'exec', command },
    {
      cwd: project.root,
      env: { PATH: process.env.PATH ?? '', DEVCTL_RUN: 'run-1', ...project.env },
    },
  );

test.each<[string, string | readonly string[], object]>([
  ['a shell command that succeeds', 'test -e .marker && true', { kind: 'ok' }],
  ['a list that succeeds', ['test', '-e', '.marker'], { kind: 'ok' }],
  ['a code', 'exit 3', { kind: 'not-yet', reason: '"exit 3" exited with code 3' }],
  ['a signal', 'kill -9 $$', { kind: 'not-yet', reason: '"kill -9 $$" was ended by SIGKILL' }],
  [
    'its last line on stderr',
    ['sh', '-c', 'echo warning >&2; echo no route >&2; exit 1'],
    {
      kind: 'not-yet',
      reason: expect.stringMatching(/exited with code 1: no route$/),
    },
  ],
  [
    'no such command',
    ['no-such-command-of-ours'],
    { kind: 'not-yet', reason: 'command "no-such-command-of-ours" was not found in PATH' },
  ],
  ['it has the cookie of the run', 'test "$DEVCTL_RUN" = run-1', { kind: 'ok' }],
  ['it has nothing of our environment', 'test -z "$VITEST"', { kind: 'ok' }],
])('%s', async (_name, command, expected) => {
  await using project = await temporaryProject();
  expect(await open(project, command).attempt(never())).toEqual(expected);
});

test('when its time is up, it is killed with its children', async () => {
  await using project = await temporaryProject();
  const over = new AbortController();
  const answer = open(project, 'trap "" TERM; sleep 100 & sleep 100 & wait').attempt(over.signal);
  await until(() => project.oracle.processes().length === 3);
  over.abort();
  expect(await answer).toMatchObject({
    kind: 'cut',
    reason: expect.stringMatching(/has not ended/),
  });
  await until(
    () => project.oracle.processes().length === 0,
    () => JSON.stringify(project.oracle.processes().map(({ argv }) => argv)),
  );
});

test('a child that keeps its output open does not delay the answer', async () => {
  await using project = await temporaryProject();
  expect(await open(project, 'sleep 100 & exit 0').attempt(never())).toEqual({ kind: 'ok' });
  // Between fork and exec the child still shows the shell's command line.
  const left = () => project.oracle.processes().map(({ argv }) => argv.join(' '));
  await until(
    () => left().join() === 'sleep 100',
    () => left().join(),
  );
});
