import { expect, test } from 'vitest';
import { cutAtDetach } from '../../../src/operations/attach/keys.ts';
import { trackModes } from '../../../src/operations/attach/modes.ts';

test.each([
  ['plain keys', 'abc', 'abc', false],
  ['Ctrl-C is for the service', '\u0003', '\u0003', false],
  ['Ctrl-] alone', '\u001d', '', true],
  ['what was typed before it is for the service, and nothing after it', 'ab\u001dcd', 'ab', true],
  ['the key protocol of kitty', 'a\u001b[93;5u', 'a', true],
  ['the key protocol of kitty, with the kind of event', '\u001b[93;5:1u', '', true],
  ['modifyOtherKeys', '\u001b[27;5;93~', '', true],
  ['other keys in detail', '\u001b[99;5u', '\u001b[99;5u', false],
  ['an umlaut', 'ü', 'ü', false],
])('%s', (_name, typed, keys, detach) => {
  const read = cutAtDetach(Buffer.from(typed));
  expect({ keys: read.keys.toString(), detach: read.detach }).toEqual({ keys, detach });
});

const CLEAN = '\u0018\u001b[0m';

test.each<[name: string, written: readonly string[], undo: string, redo: string]>([
  ['nothing', ['text \u001b[31mred'], CLEAN, ''],
  ['a hidden cursor', ['\u001b[?25l'], `${CLEAN}\u001b[?25h`, '\u001b[?25l'],
  ['a cursor that is shown again', ['\u001b[?25l', '\u001b[?25h'], CLEAN, ''],
  ['a sequence in two parts', ['ab\u001b[?10', '49h'], `${CLEAN}\u001b[?1049l`, '\u001b[?1049h'],
  [
    'the other screen, left last',
    ['\u001b[?1000;1006h\u001b[?25l\u001b[?1049h'],
    `${CLEAN}\u001b[?1000l\u001b[?1006l\u001b[?25h\u001b[?1049l`,
    '\u001b[?1049h\u001b[?1000h\u001b[?1006h\u001b[?25l',
  ],
  [
    'a keypad, and keys in detail',
    ['\u001b=\u001b[>1u'],
    `${CLEAN}\u001b[<u\u001b>`,
    '\u001b=\u001b[>1u',
  ],
  ['keys in detail that were given back', ['\u001b[>1u', '\u001b[<u'], CLEAN, ''],
])(
  'what a program leaves of %s is undone, and done again for another terminal',
  (_name, written, undo, redo) => {
    const modes = trackModes();
    for (const part of written) modes.push(Buffer.from(part));
    expect([modes.undo(), modes.redo()]).toEqual([undo, redo]);
  },
);
