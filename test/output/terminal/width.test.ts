import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  displayWidth,
  finalText,
  printable,
  truncate,
} from '../../../src/output/terminal/width.ts';

describe('displayWidth', () => {
  test.each([
    ['', 0],
    ['web', 3],
    ['\u001B[31mweb\u001B[39m', 3],
    ['café', 4],
    ['cafe\u0301', 4],
    ['日本語', 6],
    ['한국', 4],
    ['ｗｅｂ', 6],
    ['👍', 2],
    ['👨‍👩‍👧', 2],
    ['🇨🇭', 2],
    ['❤️', 2],
    ['✓ ok…', 5],
  ])('%j takes %i columns', (text, columns) => {
    expect(displayWidth(text)).toBe(columns);
  });
});

describe('truncate', () => {
  test.each([
    ['fits', 'web', 3, 'web'],
    ['is cut', 'frontend', 5, 'fron…'],
    ['one column', 'frontend', 1, '…'],
    ['no column', 'frontend', 0, ''],
    ['a wide character is not halved', '日本語', 4, '日…'],
    ['colour is closed', '\u001B[31mfrontend\u001B[39m', 5, '\u001B[31mfron…\u001B[39m'],
    ['one ellipsis only', '\u001B[1mab\u001B[22mcdef', 2, '\u001B[1ma…\u001B[22m'],
  ])('%s', (_name, text, columns, expected) => {
    expect(truncate(text, columns)).toBe(expected);
  });

  test('never wider than asked', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !text.includes('\u001B')),
        fc.nat(20),
        (text, columns) => {
          expect(displayWidth(truncate(text, columns))).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });
});

describe('printable', () => {
  test.each([
    ['web server', 'web server'],
    ['a\nb', 'a\\nb'],
    ['a\tb', 'a b'],
    ['\u001B[2J', '\\x1b[2J'],
    ['\u202Egnp.exe', '\\x202egnp.exe'],
    ['日本', '日本'],
  ])('%j', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });
});

test.each([
  ['plain', 'plain'],
  ['10 %\r50 %\r100 %', '100 %'],
  ['done\r', 'done'],
  ['\r\r', ''],
  ['\rspinning', 'spinning'],
])('of %j a terminal shows %j in the end', (text, shown) => {
  expect(finalText(text)).toBe(shown);
});
