import { expect, test } from 'vitest';
import { grepOption, linesOption, sinceOption } from '../../../src/commands/options/log-options.ts';

/** A Monday, at noon. */
const NOON = new Date(2026, 10, 23, 12, 0, 0).getTime();

test.each([
  ['90s', NOON - 90_000],
  ['2h', NOON - 7_200_000],
  ['1d', NOON - 86_400_000],
  ['11:58', NOON - 120_000],
  ['11:59:30', NOON - 30_000],
  // This time has not come yet today, so it means yesterday.
  ['12:01', NOON + 60_000 - 86_400_000],
  ['2026-11-23', new Date(2026, 10, 23).getTime()],
  ['2026-11-23 11:00', NOON - 3_600_000],
  ['2026-11-23T11:00:00.5Z', Date.UTC(2026, 10, 23, 11, 0, 0, 500)],
  ['2026-11-23T11:00+01:00', Date.UTC(2026, 10, 23, 10)],
])('--since %s', (text, expected) => {
  expect(sinceOption(text, NOON)).toBe(expected);
});

test.each(['yesterday', '25:00', '2026-13-01', '10', '-5m'])('--since %s is refused', (text) => {
  expect(() => sinceOption(text, NOON)).toThrow(`--since ${text}: neither a duration nor a time`);
});

test('a missing option limits nothing', () => {
  expect([sinceOption(undefined, NOON), linesOption(undefined), linesOption('all')]).toEqual([
    null,
    null,
    null,
  ]);
  expect(grepOption(undefined, false)('anything')).toBe(true);
});

test.each(['x', '-1', '1.5', ''])('--lines %j is refused', (text) => {
  expect(() => linesOption(text)).toThrow(/not a number of lines/);
});

test('--grep sees a line with its colours and without', () => {
  expect(grepOption('ready in', false)('\u001b[1mready\u001b[22m in 3 ms')).toBe(true);
  expect(grepOption('\\[1m', false)('\u001b[1mready')).toBe(true);
  expect(grepOption('READY', false)('ready')).toBe(false);
  expect(grepOption('READY', true)('ready')).toBe(true);
  expect(() => grepOption('(', false)).toThrow('--grep ( is not a regular expression: ');
});
