import { describe, expect, test } from 'vitest';
import { editDistance, nearest } from '../../src/manifest/nearest.ts';
import { formatPath, show } from '../../src/manifest/problem.ts';
import {
  LONGEST_DURATION_MS,
  parseDuration,
  parseSize,
  timeInWords,
} from '../../src/manifest/units.ts';

test.each<[string | number, number | null]>([
  ['500ms', 500],
  ['3s', 3_000],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['0s', 0],
  [0, 0],
  [250, 250],
  ['576h', LONGEST_DURATION_MS],
  ['577h', null],
  [-1, null],
  ['-3s', null],
  ['3', null],
  ['3 s', null],
  ['s', null],
  ['1d', null],
  ['', null],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
])('the duration %j is %j ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each<[string | number, number | null]>([
  ['512MB', 512 * 1024 ** 2],
  ['2GB', 2 * 1024 ** 3],
  ['1.5KB', 1536],
  ['7B', 7],
  [1024, 1024],
  ['512mb', null],
  ['-1MB', null],
  [-1, null],
  ['9999999TB', null],
])('the size %j is %j bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

describe('suggestions', () => {
  test.each<[typed: string, candidates: string[], meant: string | null]>([
    ['retsart', ['ready', 'restart', 'stop'], 'restart'],
    ['TERM', ['SIGINT', 'SIGTERM'], 'SIGTERM'],
    ['sigterm', ['SIGINT', 'SIGTERM'], 'SIGTERM'],
    ['comand', ['command', 'cwd'], 'command'],
    ['port', ['ports', 'stop'], 'ports'],
    ['ap', ['api', 'web'], 'api'],
    ['x', ['web', 'api'], null],
    ['entirely-else', ['web', 'api'], null],
    ['', ['web'], null],
    ['web', [], null],
  ])('%j of %j means %j', (typed, candidates, meant) => {
    expect(nearest(typed, candidates)).toBe(meant);
  });

  test.each<[string, string, number]>([
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'ab', 1],
    ['abc', 'abxc', 1],
    ['kitten', 'sitting', 3],
  ])('from %j to %j it is %d', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

test('a path reads like the code that would reach the value', () => {
  expect(formatPath(['services', 'my-app', 'ports', 0])).toBe('services.my-app.ports[0]');
  expect(formatPath(['services', 'a.b', 'cwd'])).toBe('services["a.b"].cwd');
  expect(formatPath(['a\nb'])).toBe('["a\\nb"]');
});

test('values in messages are short and on one line', () => {
  expect(show('a\nb')).toBe('"a\\nb"');
  expect(show('x'.repeat(100))).toHaveLength(52);
  expect([show([]), show({}), show(null), show(undefined)]).toEqual([
    'a list',
    'an object',
    'null',
    'nothing',
  ]);
});

test.each([
  [0, '0 ms'],
  [250, '250 ms'],
  [9_000, '9 s'],
  [1_540, '1.5 s'],
  [90_000, '90 s'],
  [600_000, '10 min'],
  [7_200_000, '2 h'],
])('a time of %d ms is told as a person says it', (ms, text) => {
  expect(timeInWords(ms)).toBe(text);
});
