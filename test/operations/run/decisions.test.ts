import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oneOffName, onRunSignal, runExitCode } from '../../../src/operations/run/decisions.ts';

describe('a signal', () => {
  test.each([
    ['Ctrl-C on our terminal is for the command', 'SIGINT', 'running', 'ours', 0, 'leave'],
    ['Ctrl-C again too', 'SIGINT', 'running', 'ours', 9, 'leave'],
    ['Ctrl-\\ too', 'SIGQUIT', 'running', 'ours', 0, 'leave'],
    ['SIGINT in the background reaches only us', 'SIGINT', 'running', 'elsewhere', 0, 'pass-on'],
    ['SIGINT without a terminal too', 'SIGINT', 'running', 'none', 0, 'pass-on'],
    ['the second SIGINT ends everything', 'SIGINT', 'running', 'none', 1, 'end'],
    ['SIGTERM ends everything, on a terminal too', 'SIGTERM', 'running', 'ours', 0, 'end'],
    ['a closing terminal ends everything', 'SIGHUP', 'running', 'ours', 0, 'end'],
    ['a signal during the end asks for force', 'SIGINT', 'ending', 'ours', 0, 'force'],
    ['whichever signal it is', 'SIGTERM', 'ending', 'none', 3, 'force'],
  ] as const)('%s', (_, signal, phase, terminal, earlier, expected) => {
    expect(onRunSignal(signal, { phase, terminal, earlier })).toBe(expected);
  });
});

describe('the exit code', () => {
  const exited = (value: number) => ({ code: value, signal: null });
  test.each([
    ['is that of the command', { exit: exited(7) }, false, 7],
    ['is 128 + the signal of the command', { exit: { code: null, signal: 'SIGKILL' } }, false, 137],
    ['is 124 after a timeout, whatever the command returned', { cause: 'timed-out' }, false, 124],
    [
      'is that of the command after an interrupt',
      { cause: 'interrupted', exit: exited(3) },
      true,
      3,
    ],
    ['is 0 with orphans', { orphans: 2 }, false, 0],
    ['is 4 with orphans, if they count as a failure', { orphans: 2 }, true, 4],
    ['is that of a failed command even then', { orphans: 2, exit: exited(1) }, true, 1],
    ['is 4 with survivors, even after a timeout', { cause: 'timed-out', survivors: 1 }, false, 4],
    [
      'is 129 where the terminal was closed, whichever signal the command met first',
      { cause: 'interrupted', isHungUp: true, exit: { code: null, signal: 'SIGTERM' } },
      false,
      129,
    ],
    ['is 129 also where the command ended by itself then', { isHungUp: true }, false, 129],
    ['is 1 when the exit is not known', { exit: { code: null, signal: null } }, false, 1],
  ] as const)('%s', (_, over, failOnOrphans, expected) => {
    const outcome = { cause: 'ended', exit: exited(0), orphans: 0, survivors: 0, ...over } as const;
    expect(runExitCode(outcome, failOnOrphans)).toBe(expected);
  });
});

describe('a name', () => {
  test.each([
    ['is that of the program', ['/usr/bin/npm', 'test'], [], 'run-npm'],
    ['has no script extension', ['./scripts/check.mjs'], [], 'run-check'],
    ['has a number where it is taken', ['npm'], ['run-npm', 'run-npm-2'], 'run-npm-3'],
    ['has only characters of a file name', ['a b/c$d\n'], [], 'run-c-d-'],
    ['of an empty command is plain', [''], [], 'run'],
  ])('%s', (_, argv, taken, expected) => {
    expect(oneOffName(argv, new Set(taken))).toBe(expected);
  });

  test('is always free, and always a file name', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (argv, names) => {
        const taken = new Set([...names, oneOffName(argv, new Set())]);
        const name = oneOffName(argv, taken);
        expect(taken.has(name)).toBe(false);
        expect(name).toMatch(/^run[\w.+-]*$/);
      }),
    );
  });
});
