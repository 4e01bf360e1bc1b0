import { expect, test } from 'vitest';
import { DevctlError } from '../../../src/errors.ts';
import { printFailure } from '../../../src/output/terminal/failure.ts';
import { fakeStream } from '../fake-stream.ts';

function print(error: unknown, json = false) {
  const stdout = fakeStream();
  const stderr = fakeStream();
  const exitCode = printFailure(error, { json, color: false, stdout, stderr });
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

test('a failure that the user can act on is two lines, without a stack', () => {
  const error = new DevctlError('port-taken', 'web: port 3000 is held', { hint: 'stop it' });
  expect(print(error)).toEqual({
    exitCode: 5,
    stdout: '',
    stderr: '✗ web: port 3000 is held\n  → stop it\n',
  });
});

test('without a hint it is one line', () => {
  expect(print(new DevctlError('usage', 'no')).stderr).toBe('✗ no\n');
});

test('a fault of devctl comes with an apology and the stack', () => {
  const { exitCode, stderr } = print(new TypeError('x is not a function'));
  expect(exitCode).toBe(1);
  expect(stderr).toContain('sorry');
  expect(stderr).toContain('TypeError: x is not a function\n    at ');
});

test('anything can be thrown', () => {
  expect(print('just a text').stderr).toContain('just a text');
});

test('--json prints the failure on stdout too', () => {
  const error = new DevctlError('locked', 'busy', { hint: 'wait' });
  expect(JSON.parse(print(error, true).stdout)).toEqual({
    version: 1,
    error: { code: 'locked', message: 'busy', hint: 'wait' },
  });
  expect(JSON.parse(print(new Error('bug'), true).stdout)).toEqual({
    version: 1,
    error: { code: 'internal', message: 'bug', hint: null },
  });
});
