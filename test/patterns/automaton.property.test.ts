import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAutomaton } from '../../src/patterns/automaton.ts';
import { foreignPiece } from '../../src/patterns/cost.ts';
import { requiredText } from '../../src/patterns/required-text.ts';
import { parsePattern } from '../../src/patterns/syntax.ts';

/** Pieces that take one unit; the legacy forms among them are text (ECMA-262, annex B). */
const UNITS =
  'a b c A ſ K é . \\w \\s \\d \\W [ab] [^a] [] [^] [\\]a] [a-c] \\x61 \\u0062 \\cJ \\0 \\- / { } ] {a} \\xz \\u \\c \\C \\8 \\12 \\k'.split(
    ' ',
  );
const QUANTIFIERS = '* + ? *? +? ?? {2} {0} {1,2} {0,2}? {2,} {,2}'.split(' ');
const LOOKS = ['(?=', '(?!', '(?<=', '(?<!'];

const source = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(...UNITS),
    fc.constantFrom('^', '$', '\\b', '\\B'),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => one + other),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `(?:${one}|${other})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom(...QUANTIFIERS))
      .map(([body, quantifier]) => `(${body})${quantifier}`),
    fc.tuple(fc.constantFrom(...LOOKS), tie('pattern')).map(([look, body]) => `${look}${body})`),
  ),
})).pattern;
const text = fc
  .array(fc.constantFrom(...'aabbc A1_k\\\n\0{}u]8zéſK-/\b'), { maxLength: 10 })
  .map((units) => units.join(''));

describe('an automaton agrees with the engine of JavaScript', () => {
  test.each(['', 'i'] as const)('with the flags "%s"', (flags) => {
    fc.assert(
      fc.property(source, fc.array(text, { minLength: 1, maxLength: 4 }), (pattern, texts) => {
        fc.pre(isPattern(pattern));
        const tree = parsePattern(pattern);
        fc.pre(foreignPiece(tree) === null);
        const automaton = createAutomaton(tree, flags);
        const engine = new RegExp(pattern, flags);
        for (const line of texts) expect(automaton.test(line)).toBe(engine.test(line));
      }),
      { numRuns: 3_000 },
    );
  });

  test('the required text is in each text that matches', () => {
    fc.assert(
      fc.property(source, text, (pattern, line) => {
        fc.pre(isPattern(pattern) && new RegExp(pattern).test(line));
        expect(line).toContain(requiredText(parsePattern(pattern)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('however often what it remembers is forgotten', () => {
    const automaton = createAutomaton(parsePattern('(?:a|b)*a(?:a|b){11}c'), '');
    const line = Array.from({ length: 20_000 }, (_, index) =>
      (index * index) % 7 < 3 ? 'a' : 'b',
    );
    expect(automaton.test(`${line.join('')}${'a'.repeat(12)}c`)).toBe(true);
    expect(automaton.test(`${line.join('')}${'b'.repeat(12)}c`)).toBe(false);
  });
});

test.each([
  ['listening on \\d+', 'listening on '],
  ['^ready\\.$', 'ready.'],
  ['(?:web|api) ready', ' ready'],
  ['(server )+up', 'server '],
  ['x?yy*', 'y'],
  ['a|b', ''],
  ['(?!error)', ''],
  ['[/]\\/', '/'],
  ['\\n\\t\\w', ''],
])('%s requires %j', (pattern, expected) => {
  expect(requiredText(parsePattern(pattern))).toBe(expected);
});

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
