import { expect, test } from 'vitest';
import { parseTerminal } from '../../src/processes/terminal.ts';

test.each([
  ['in the foreground', '9 (node) S 8 9 8 34816 9 1 2', { foreground: 9, isForeground: true }],
  ['in the background', '9 (node) S 8 9 8 34816 8 1 2', { foreground: 8, isForeground: false }],
  ['no group has it', '9 (node) S 8 9 8 34816 -1 1 2', { foreground: -1, isForeground: false }],
  ['none', '9 (a) R 1) S 8 9 8 0 -1 1 2', null],
  ['cut short', '9 (node) S 8', null],
])('%s', (_, stat, expected) => {
  expect(parseTerminal(stat)).toEqual(expected);
});
