import fc from 'fast-check';
import { expect, test } from 'vitest';
import { repaint } from '../../../src/output/monitor/repaint.ts';

test('nothing is written when nothing has changed', () => {
  expect(repaint(['a', 'b'], ['a', 'b'], 10)).toBe('');
});

test('only lines that differ are written, each in its place, all at once', () => {
  const text = repaint(['a', 'b', 'c'], ['a', 'B', 'c'], 10);
  expect(text).toBe('\u001B[?2026h\u001B[2;1HB\u001B[0m\u001B[K\u001B[?2026l');
});

test('a line of full width is not cleared at its end, because that would remove its last character', () => {
  expect(repaint([''], ['日本'], 4)).not.toContain('\u001B[K');
  expect(repaint([''], ['日本'], 5)).toContain('\u001B[K');
});

test('an unknown screen is cleared first', () => {
  expect(repaint(null, ['', ''], 3)).toContain('\u001B[2J');
});

test('a terminal shows the frame afterwards, after any frame before', () => {
  const frame = fc.array(fc.stringMatching(/^[a-z ]{0,8}$/), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 5 }), (frames) => {
      let shown: string[] = [];
      let before: readonly string[] | null = null;
      for (const after of frames) {
        shown = carriedOut(shown, repaint(before, after, 8));
        before = after;
        expect(shown.map((line) => line.trimEnd())).toEqual(after.map((line) => line.trimEnd()));
      }
    }),
  );
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences start with ESC
const PLACED = /\u001B\[(\d+);1H([a-z ]*)\u001B\[0m(\u001B\[K)?/g;

/** Carries out the few sequences of `repaint` on a screen of 8 columns without wrapping. */
function carriedOut(before: readonly string[], text: string): string[] {
  let lines = [...before];
  for (const [, row, line, clears] of text.matchAll(PLACED)) {
    if (lines.length === 0 || text.includes('\u001B[2J'))
      lines = [...lines, '', '', '', ''].slice(0, 4);
    const old = text.includes('\u001B[2J') || clears ? '' : (lines[Number(row) - 1] ?? '');
    lines[Number(row) - 1] = (line ?? '') + old.slice((line ?? '').length);
  }
  return lines;
}
