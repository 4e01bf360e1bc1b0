import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOfLines } from '../../src/logs/quote.ts';

test.each<[string, string[], number, string[]]>([
  ['all lines, when they fit with their line ends', ['ab', 'cd'], 6, ['ab', 'cd']],
  ['the end of the first line, with a mark', ['abcdef', 'gh'], 9, ['…ef', 'gh']],
  ['no line, when the mark has no room', ['abcdef', 'gh'], 6, ['gh']],
  ['whole characters', ['aäöü'], 7, ['…ü']],
  ['a line of line ends', ['', '', ''], 2, ['', '']],
])('a quotation keeps %s', (_what, lines, bytes, expected) => {
  expect(endOfLines(lines, bytes)).toEqual(expected);
});

test('property: a quotation is the end of the text, and never longer than its limit', () => {
  const lines = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 30 });
  fc.assert(
    fc.property(lines, fc.integer({ min: 0, max: 300 }), (all, bytes) => {
      const kept = endOfLines(all, bytes);
      expect(kept.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)).toBeLessThanOrEqual(
        bytes,
      );
      const end = all.slice(all.length - kept.length);
      kept.forEach((line, index) => {
        const whole = end[index] ?? '';
        const isCut = index === 0 && line !== all.at(-kept.length);
        expect(isCut ? whole.endsWith(line.slice(1)) : line === all.at(index - kept.length)).toBe(
          true,
        );
      });
    }),
  );
});
