import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineCutter } from '../../src/logs/line-cutter.ts';

test('lines are the same in whatever pieces the bytes come', () => {
  const anyText = fc.array(fc.constantFrom('a', 'ü', '✓', '🦊', '\n', '\n', '\r'), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(anyText, fc.array(fc.integer({ min: 1, max: 7 })), (characters, sizes) => {
      const bytes = Buffer.from(characters.join(''));
      const cutter = createLineCutter();
      const lines = [];
      for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
        const size = sizes[piece % Math.max(1, sizes.length)] ?? 3;
        lines.push(...cutter.push(bytes.subarray(at, at + size), 100 + at));
        at += size;
      }
      const expected = characters.join('').split('\n');
      const rest = expected.pop() ?? '';
      expect(lines.map(({ text }) => text)).toEqual(expected.map((one) => one.replace(/\r+$/, '')));
      for (const { position, text, continues, partial } of lines) {
        expect(bytes.toString('utf8', position - 100).startsWith(text)).toBe(true);
        expect([continues, partial]).toEqual([false, false]);
      }
      expect(cutter.flush()?.text ?? '').toBe(rest);
    }),
  );
});

test('a prompt is given out when nothing more comes, and the answer continues its line', () => {
  const cutter = createLineCutter();
  expect(cutter.push(Buffer.from('one\nPass'), 0)).toMatchObject([{ text: 'one' }]);
  expect(cutter.bufferedBytes()).toBe(4);
  expect(cutter.flush()).toMatchObject({ text: 'Pass', position: 4, partial: true });
  expect(cutter.flush()).toBeNull();
  expect(cutter.push(Buffer.from('word\nnext\n'), 8)).toMatchObject([
    { text: 'word', position: 8, continues: true, partial: false },
    { text: 'next', position: 13, continues: false },
  ]);
});

test('an endless line comes in parts, none of which ends within a character', () => {
  const cutter = createLineCutter(10);
  const text = 'ü✓🦊'.repeat(9);
  const bytes = Buffer.from(text);
  const parts = [];
  for (let at = 0; at < bytes.length; at += 4) {
    parts.push(...cutter.push(bytes.subarray(at, at + 4), at));
  }
  expect(parts.length).toBeGreaterThan(3);
  const rest = cutter.flush();
  expect(parts.map((part) => part.text).join('') + (rest?.text ?? '')).toBe(text);
  expect(parts[1]).toMatchObject({ continues: true, partial: true });
});
