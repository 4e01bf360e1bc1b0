import { describe, expect, test } from 'vitest';
import {
  colorEnabled,
  createTheme,
  knowsLinks,
  themeFor,
} from '../../../src/output/terminal/theme.ts';

const terminal = { isTTY: true };
const pipe = { isTTY: false };

describe('colorEnabled', () => {
  test.each([
    ['a terminal', terminal, undefined, {}, true],
    ['a pipe', pipe, undefined, {}, false],
    ['--color into a pipe', pipe, true, { NO_COLOR: '1', TERM: 'dumb' }, true],
    ['--no-color against FORCE_COLOR', terminal, false, { FORCE_COLOR: '1' }, false],
    [
      'NO_COLOR against FORCE_COLOR',
      terminal,
      undefined,
      { NO_COLOR: '1', FORCE_COLOR: '1' },
      false,
    ],
    ['an empty NO_COLOR does not count', terminal, undefined, { NO_COLOR: '' }, true],
    ['FORCE_COLOR into a pipe', pipe, undefined, { FORCE_COLOR: '1' }, true],
    ['an empty FORCE_COLOR counts', pipe, undefined, { FORCE_COLOR: '' }, true],
    ['FORCE_COLOR=0', terminal, undefined, { FORCE_COLOR: '0' }, false],
    ['FORCE_COLOR against TERM=dumb', pipe, undefined, { FORCE_COLOR: '1', TERM: 'dumb' }, true],
    ['TERM=dumb', terminal, undefined, { TERM: 'dumb' }, false],
    ['CI keeps its colour', terminal, undefined, { CI: 'true' }, true],
  ])('%s', (_name, stream, flag, env, expected) => {
    expect(colorEnabled(stream, flag, env)).toBe(expected);
  });
});

test('a theme without colour changes nothing', () => {
  const theme = createTheme(false);
  expect(theme.bold(theme.red('x'))).toBe('x');
});

test('a theme with colour closes what it opens', () => {
  expect(createTheme(true).red('x')).toBe('\u001B[31mx\u001B[39m');
});

test('nothing is painted around an empty cell', () => {
  expect(createTheme(true).red('')).toBe('');
});

test.each<[env: NodeJS.ProcessEnv, knows: boolean]>([
  [{}, false],
  [{ TERM: 'xterm-256color' }, false],
  [{ TERM: 'xterm-kitty' }, true],
  [{ TERM_PROGRAM: 'vscode' }, true],
  [{ TERM_PROGRAM: 'vscode', CI: 'true' }, false],
  [{ TERM_PROGRAM: 'Apple_Terminal' }, false],
  [{ VTE_VERSION: '5000' }, false],
  [{ VTE_VERSION: '7600' }, true],
  [{ VTE_VERSION: '7600', TERM: 'tmux-256color' }, false],
  [{ KONSOLE_VERSION: '230401' }, true],
  [{ TERM: 'dumb', FORCE_HYPERLINK: '1' }, true],
  [{ TERM: 'xterm-kitty', FORCE_HYPERLINK: '0' }, false],
])('a terminal with %j makes links: %s', (env, knows) => {
  expect(knowsLinks(env)).toBe(knows);
  const link = knows ? '\u001B]8;;http://a/\u001B\\http://a/\u001B]8;;\u001B\\' : 'http://a/';
  expect(themeFor(terminal, true, env).link('http://a/')).toBe(link);
  expect(themeFor(pipe, true, env).link('http://a/')).toBe('http://a/');
  expect(themeFor(terminal, false, env).link('http://a/')).toBe('http://a/');
});

test('stdout and stderr decide for themselves', () => {
  expect(themeFor(terminal, undefined, {}).enabled).toBe(true);
  expect(themeFor(pipe, undefined, {}).enabled).toBe(false);
});
