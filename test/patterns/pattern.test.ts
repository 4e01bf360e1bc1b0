import { describe, expect, test } from 'vitest';
import { readPattern } from '../../src/patterns/pattern.ts';

const LONG = 'a'.repeat(60_000);

function testPattern(source: string, text: string, flags: '' | 'i' = ''): boolean | null {
  const reading = readPattern(source, flags);
  if (reading.kind !== 'pattern') throw new Error(`${source} ${reading.why}`);
  return reading.pattern.test(text);
}

function whyNot(source: string): string | null {
  const reading = readPattern(source);
  return reading.kind === 'pattern' ? null : `${reading.kind}: ${reading.why}`;
}

/** Lookarounds in a row, each of another unit. */
function looks(number: number): string {
  const units = Array.from({ length: number }, (_, at) => String.fromCharCode(0x4e00 + at));
  return units.map((unit) => `(?!${unit})`).join('');
}

/** The CPU time of this process that a function takes, in ms, however busy the machine is. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

describe('a pattern for which the engine of JavaScript takes seconds, or for ever', () => {
  test.each<[source: string, text: string, expected: boolean | null, flags?: 'i']>([
    ['.*listening', LONG, false],
    ['.*listening', `${LONG} listening on 7`, true],
    ['.*[l]istening', LONG, false],
    ['.*LISTENING', `${LONG} listening on 7`, true, 'i'],
    ['(a+)+$', `${LONG}!`, false],
    ['(a+)+$', LONG, true],
    ['(?:a|aa)+$', `${LONG}!`, false],
    ['(x|y)*[z]', 'xy'.repeat(30_000), false],
    ['(.*,)*[x]', 'y,'.repeat(30_000), false],
    ['.*.*.*.*=[x]', '='.repeat(60_000), false],
    ['^(?!.*error).*ready$', `${LONG} ready`, true],
    ['^(?!.*error).*ready$', `${LONG} error ready`, false],
    ['(?<=(a+)+)[b]', LONG, false],
    ['(?<=(a+)+)b', `${LONG}b`, true],
    ['(?=(a+)+b)[c]', LONG, false],
    ['\\s+$', ' '.repeat(60_000).concat('!'), false],
    ['(é+)+✓$', `${'é'.repeat(60_000)}✗`, false],
    ['😀+$', '😀'.repeat(30_000), true],
    ['[0-9a-f]{64}', 'f0'.repeat(30_000).concat('z'), true],
    // So many sets of states that they are not searched to the end.
    ['(a|b)*a(a|b){60}[c]', pseudoRandom(60_000), null],
  ])('%s', (source, text, expected, flags = undefined) => {
    let answer: boolean | null = null;
    // The engine takes from 4,600 ms on.
    expect(cpuMs(() => (answer = testPattern(source, text, flags)))).toBeLessThan(1_000);
    expect(answer).toBe(expected);
  });

  test('a process with an argument of 100 KB takes a few ms', () => {
    const line = `node ${'x'.repeat(100_000)}`;
    expect(cpuMs(() => testPattern('.*my-watcher', line))).toBeLessThan(50);
  });
});

test('as many lookarounds as the automaton can tell apart are searched right, and more are refused', () => {
  const text = `${'a'.repeat(2_000)}x`;
  expect(testPattern(`^\\b(?:${looks(24)}[^x])+\\B$`, text)).toBe(false);
  expect(testPattern(`^\\b(?:${looks(24)}[^y])+$`, text)).toBe(true);
  expect(whyNot(`(?:${looks(25)}x)+`)).toContain('unbounded: has 50 lookarounds');
  // All edges of a kind are one question.
  const words = Array.from({ length: 60 }, (_, at) => `\\bw${at}\\b`).join('|');
  expect(whyNot(words)).toBe(null);
});

describe('a pattern that cannot be bounded is refused, and says what to write instead', () => {
  test.each([
    ['(', 'invalid: is not a regular expression: Unterminated group'],
    ['a{2,1}', 'invalid: is not a regular expression: numbers out of order in {} quantifier'],
    ['(a+)+\\1', 'unbounded: may take for ever, because \\1 stands beside repetitions: write out'],
    ['(?<q>.*)=\\k<q>', 'unbounded: may take for ever, because \\k<q> stands beside repetitions'],
    ['(?:a{50}){50}', 'unbounded: stands for 2500 characters when its repetitions are written out'],
    ['(?:){1000000000}', 'unbounded: stands for 1000000000 characters'],
    ['x'.repeat(2_001), 'unbounded: is longer than 2000 characters'],
  ])('%s', (source, why) => {
    expect(whyNot(source)).toContain(why);
  });

  test.each([
    'listening on \\d+',
    '(["\'])ready\\1',
    '(?:[\\w.-]+:)?\\d{2,5}',
    '[0-9a-f]{40}',
    '(?<!not )ready',
    '\\p{L}',
    `${'('.repeat(900)}x${')'.repeat(900)}`,
    'node (?:--\\S+ )*server\\.js( |$)',
  ])('not refused: %s', (source) => {
    expect(whyNot(source)).toBe(null);
  });

  test('a back-reference sees the beginning of a long line', () => {
    const quoted = '([\'"])ready\\1';
    expect(testPattern(quoted, 'it is "ready" now')).toBe(true);
    expect(testPattern(quoted, 'it is "ready\' now')).toBe(false);
    expect(testPattern(quoted, `"ready"${LONG}`)).toBe(true);
    expect(testPattern(quoted, `${LONG}"ready"`)).toBe(null);
  });
});

/** A text of `a` and `b` without a period, the same each time. */
function pseudoRandom(length: number): string {
  let text = '';
  for (let seed = 1; text.length < length; seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0)
    text += (seed >>> 16) & 1 ? 'a' : 'b';
  return text;
}
