import { expect, test } from 'vitest';
import { durationOption } from '../../../src/commands/options/duration-option.ts';

test.each([
  ['500ms', 500],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['0', 0],
  ['0s', 0],
])('--timeout %s', (text, expected) => {
  expect(durationOption('--timeout', text)).toBe(expected);
});

test.each([
  ['60', '--timeout 60: 60 what? 60s or 60ms'],
  ['1.5', '--timeout 1.5: 1.5 what? 1.5s or 1.5ms'],
  ['soon', '--timeout soon: not a duration'],
  ['-3s', '--timeout -3s: not a duration'],
  ['25d', '--timeout 25d: not a duration'],
  ['', '--timeout : not a duration'],
])('--timeout %s is refused', (text, message) => {
  expect(() => durationOption('--timeout', text)).toThrow(message);
});
