import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endKeys, readKeys } from '../../../src/output/monitor/keys.ts';

test.each([
  ['characters', 'rs?', ['r', 's', '?']],
  ['arrows, in both modes of the terminal', '\u001B[A\u001BOB', ['up', 'down']],
  ['pages and ends', '\u001B[5~\u001B[6~\u001B[H\u001BOF', ['pageup', 'pagedown', 'home', 'end']],
  ['Enter, Tab, backspace, Ctrl-C', '\r\t\u007F\u0003', ['enter', 'tab', 'backspace', 'ctrl-c']],
  ['a sequence without a meaning', 'a\u001B[15;2~b', ['a', 'b']],
  ['wide characters are one key', '日👍', ['日', '👍']],
  ['pasted text is no key', '\u001B[200~stop\u001B[201~q', ['paste:stop', 'q']],
  ['Esc before a character', '\u001Bq', ['escape', 'q']],
])('%s', (_name, text, keys) => {
  expect(readKeys(text)).toEqual({ keys, rest: '' });
});

test.each([
  ['Esc alone', '\u001B', ['escape']],
  ['half a sequence', '\u001B[', ['escape', '[']],
  ['half a paste', '\u001B[200~sto', []],
])('%s waits for its rest, and after that becomes keys', (_name, text, keys) => {
  expect(readKeys(`x${text}`)).toEqual({ keys: ['x'], rest: text });
  expect(endKeys(text)).toEqual(keys);
});

test('the keys are the same, however the terminal cuts its output', () => {
  const parts = ['a', '\u001B[A', '\u001B[5~', '\u001BOC', '\r', '\u001B[200~x y\u001B[201~', '日'];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...parts), { maxLength: 8 }),
      fc.array(fc.nat(60), { maxLength: 5 }),
      (sent, cuts) => {
        const text = sent.join('');
        const at = [...cuts.filter((cut) => cut < text.length), text.length].sort((a, b) => a - b);
        const keys: string[] = [];
        let rest = '';
        let from = 0;
        for (const to of at) {
          const read = readKeys(rest + text.slice(from, to));
          keys.push(...read.keys);
          rest = read.rest;
          from = to;
        }
        expect([keys, rest]).toEqual([readKeys(text).keys, '']);
      },
    ),
  );
});
