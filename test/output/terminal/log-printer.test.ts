import { expect, test } from 'vitest';
import { createLogPrinter } from '../../../src/output/terminal/log-printer.ts';
import { cleanLogText } from '../../../src/output/terminal/width.ts';

const PLAIN = { color: false, prefix: true, times: false };
const LINE = { service: 'web', text: 'up', atMs: null, vague: false, continues: false };

test('names line up, also when a longer name comes later', () => {
  const printer = createLogPrinter(PLAIN);
  printer.widen(['web', 'api']);
  expect(printer.format(LINE)).toBe('web | up\n');
  printer.widen(['database']);
  expect(printer.format(LINE)).toBe('web      | up\n');
  expect(printer.note('devctl', 'ready')).toBe('devctl   | ready\n');
});

test('each name has its colour, and keeps it', () => {
  const printer = createLogPrinter({ ...PLAIN, color: true });
  printer.widen(['web', 'api']);
  expect(printer.format({ ...LINE, service: 'api' })).toBe('\u001b[33mapi |\u001b[39m up\n');
  expect(printer.format(LINE)).toBe('\u001b[36mweb |\u001b[39m up\n');
});

test('vague times are marked, and unknown times leave an empty column', () => {
  const printer = createLogPrinter({ color: false, prefix: false, times: true });
  const atMs = new Date(2026, 10, 23, 17, 5, 9, 7).getTime();
  expect(printer.format({ ...LINE, atMs })).toBe('2026-11-23 17:05:09.007  up\n');
  expect(printer.format({ ...LINE, atMs, vague: true })).toBe('2026-11-23 17:05:09.007~ up\n');
  expect(printer.format(LINE)).toBe(`-${' '.repeat(23)}  up\n`.replace('  up', ' up'));
});

test('the rest of a line of which a part was printed before', () => {
  const printer = createLogPrinter({ ...PLAIN, prefix: false });
  expect(printer.format({ ...LINE, continues: true })).toBe('… up\n');
});

test.each<[string, boolean, string]>([
  ['plain ✓ text\twith a tab', true, 'plain ✓ text\twith a tab'],
  ['\u001b[32mgreen\u001b[39m', true, '\u001b[32mgreen\u001b[39m\u001b[0m'],
  ['\u001b[32mgreen\u001b[39m', false, 'green'],
  // Sequences of npm and vite: a cleared line, a moved cursor, a title, a link.
  ['\u001b[2K\u001b[1Gdone\u001b]0;title\u0007', true, 'done'],
  ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', false, 'link'],
  // No text that only looks like a sequence, and no sequence of another kind, may reach the terminal.
  ['\u001b[6n\u001bPq\u001b\\', true, '\\x1bPq\\x1b\\'],
  ['\u001b]0;never ends', true, '\\x1b]0;never ends'],
  ['bell\u0007 back\b \u009b31m \u202e', false, 'bell\\x07 back\\x08 \\x9b31m \\x202e'],
])('%j with colours %s', (text, colors, expected) => {
  expect(cleanLogText(text, colors)).toBe(expected);
});
