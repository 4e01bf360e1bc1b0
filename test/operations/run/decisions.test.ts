import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oneOffName, onRunSignal, runExitCode } from '../../../src/operations/run/decisions.ts';

describe('a signal', () => {
  test.each([
    ['Ctrl-C on our terminal is the command’s', 'SIGINT', 'running', 'ours', 0, 'leave'],
    ['as often as it likes', 'SIGINT', 'running', 'ours', 9, 'leave'],
    ['Ctrl-\\ too', 'SIGQUIT', 'running', 'ours', 0, 'leave'],
    ['in the background nobody else has had it', 'SIGINT', 'running', 'elsewhere', 0, 'pass-on'],
    ['without a terminal neither', 'SIGINT', 'running', 'none', 0, 'pass-on'],
    ['the second one means it', 'SIGINT', 'running', 'none', 1, 'end'],
    ['TERM ends it on a terminal', 'SIGTERM', 'running', 'ours', 0, 'end'],
    ['a closing terminal ends it', 'SIGHUP', 'running', 'ours', 0, 'end'],
    ['while it ends, one more is impatience', 'SIGINT', 'ending', 'ours', 0, 'force'],
    ['whichever', 'SIGTERM', 'ending', 'none', 3, 'force'],
  ] as const)('%s', (_, signal, phase, terminal, earlier, expected) => {
    expect(onRunSignal(signal, { phase, terminal, earlier })).toBe(expected);
  });
});

describe('the exit code', () => {
  const exited = (value: number) => ({ code: value, signal: null });
  test.each([
    ['is the command’s', { exit: exited(7) }, false, 7],
    ['or 128 + its signal', { exit: { code: null, signal: 'SIGKILL' } }, false, 137],
    [
      '124 when the time was up, whatever the command made of it',
      { cause: 'timed-out' },
      false,
      124,
    ],
    ['its own when it was interrupted', { cause: 'interrupted', exit: exited(3) }, true, 3],
    ['orphans are no failure', { orphans: 2 }, false, 0],
    ['unless they are to be', { orphans: 2 }, true, 4],
    ['a failure of the command says more', { orphans: 2, exit: exited(1) }, true, 1],
    ['what lives on is worse than all', { cause: 'timed-out', survivors: 1 }, false, 4],
    ['not known is not well', { exit: { code: null, signal: null } }, false, 1],
  ] as const)('%s', (_, over, failOnOrphans, expected) => {
    const outcome = { cause: 'ended', exit: exited(0), orphans: 0, survivors: 0, ...over } as const;
    expect(runExitCode(outcome, failOnOrphans)).toBe(expected);
  });
});

describe('a name', () => {
  test.each([
    ['of the program', ['/usr/bin/npm', 'test'], [], 'run-npm'],
    ['without what a script ends with', ['./scripts/check.mjs'], [], 'run-check'],
    ['numbered where it is taken', ['npm'], ['run-npm', 'run-npm-2'], 'run-npm-3'],
    ['of odd programs', ['a b/c$d\n'], [], 'run-c-d-'],
    ['of none', [''], [], 'run'],
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
