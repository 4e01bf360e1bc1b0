import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cleanEnvironment } from './support/clean-environment.ts';
import { repositoryRoot } from './support/paths.ts';

const LOADER = join(repositoryRoot, 'dist', 'compiled-code.cjs');
const [BUILD = ''] = /^'use strict';'build \w+';/.exec(readFileSync(LOADER, 'utf8')) ?? [];

let folder: string;
let cache: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-compiled-')));
  cache = join(folder, 'cache');
  program('a');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('compiled code', () => {
  test('is saved where only this user can read and write, and then taken from there', () => {
    expect(load()).toBe('a\n');
    const [file] = saved();
    const { mode, mtimeMs } = statSync(file);
    expect(mode & 0o777).toBe(0o600);
    expect(statSync(join(cache, 'devctl', 'code')).mode & 0o777).toBe(0o700);
    expect(load()).toBe('a\n');
    // Code that was not taken would have been compiled, and saved again.
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
  });

  test('is not that of a file of the same length that was there before', () => {
    load();
    program('b');
    expect(load()).toBe('b\n');
    // In the place of the old one, so that the cache does not grow with each installation.
    expect(saved()).toHaveLength(1);
  });

  test.each([
    ['a bit of it', (data: Buffer) => data.fill(255, 20_000, 21_000)],
    ['all of it', (data: Buffer) => data.fill(0)],
    ['the end of it', (data: Buffer) => data.subarray(0, data.length - 1000)],
    ['half of it', (data: Buffer) => data.subarray(0, data.length / 2)],
    ['its last bytes', (data: Buffer) => data.fill(255, data.length - 9)],
  ])('that has lost %s is compiled and saved anew', (_words, damage) => {
    load();
    const [file] = saved();
    const whole = readFileSync(file);
    writeFileSync(file, damage(Buffer.from(whole)));
    expect(load()).toBe('a\n');
    expect(readFileSync(file)).toHaveLength(whole.length);
  });

  test('that was made under other flags of V8 is refused, and saved anew', () => {
    load();
    const [file] = saved();
    const { mtimeMs } = statSync(file);
    expect(load({}, ['--no-opt'])).toBe('a\n');
    expect(statSync(file).mtimeMs).not.toBe(mtimeMs);
  });

  test('is neither read nor written in a folder that others can write to', () => {
    load();
    const [file] = saved();
    const { mtimeMs } = statSync(file);
    chmodSync(join(cache, 'devctl', 'code'), 0o777);
    program('b');
    expect(load()).toBe('b\n');
    expect(saved()).toEqual([file]);
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'is not written into the home folder of another user',
    () => {
      mkdirSync(cache);
      chownSync(cache, 65_534, 65_534);
      expect(load()).toBe('a\n');
      expect(readdirSync(cache)).toEqual([]);
      expect(load({ XDG_CACHE_HOME: '', HOME: cache })).toBe('a\n');
      expect(readdirSync(cache)).toEqual([]);
    },
  );

  test('is not written where it is turned off, nor where there is no folder for it', () => {
    expect(load({ NODE_DISABLE_COMPILE_CACHE: '1' })).toBe('a\n');
    expect(load({ XDG_CACHE_HOME: '/dev/null/cache' })).toBe('a\n');
    expect(load({ XDG_CACHE_HOME: 'cache', HOME: '' })).toBe('a\n');
    expect(load({}, [], 'uses-the-library.js')).toBe('a\n');
    // Node's recursive mkdir would never end here.
    expect(load({ XDG_CACHE_HOME: '/proc/none/cache' })).toBe('a\n');
    expect(readdirSync(folder)).toEqual(['devctl.js', 'program.cjs', 'uses-the-library.js']);
  });

  test('is removed where it is old or too much, and nothing else is', () => {
    load();
    const [file] = saved();
    const place = join(cache, 'devctl', 'code');
    const write = (name: string, bytes: number, days: number) => {
      writeFileSync(join(place, name), Buffer.alloc(bytes));
      const at = Date.now() / 1000 - days * 24 * 3600;
      utimesSync(join(place, name), at, at);
    };
    write('abc1', 10, 31);
    write('abc2', 40 * 1024 * 1024, 2);
    write('abc3', 40 * 1024 * 1024, 1);
    write('abc4.123', 10, 31);
    write('notes.txt', 10, 31);
    program('b');
    load();
    expect(readdirSync(place).sort()).toEqual([basename(file), 'abc3', 'notes.txt'].sort());
  });

  test('is that of files in ASCII, because they are read as Latin-1', () => {
    const files = readdirSync(dirname(LOADER), { recursive: true, encoding: 'utf8' });
    const scripts = files.filter((name) => /\.c?js$/.test(name));
    expect(scripts.length).toBeGreaterThan(9);
    const isOther = (name: string) =>
      readFileSync(join(dirname(LOADER), name)).some((byte) => byte > 127);
    expect(scripts.filter(isOther)).toEqual([]);
  });

  test('a bundle of another build is not run', () => {
    program('b', "'use strict';'build 0123456789ab';");
    expect(() => load()).toThrow('replaced by another build');
  });

  test('a fault of the loaded file is told, and nothing is kept of it', () => {
    writeFileSync(join(folder, 'program.cjs'), `${BUILD}throw new Error('broken')`);
    expect(() => load()).toThrow('broken');
  });
});

/** Writes a program, long enough that V8 has much to save. */
function program(word: string, build = BUILD): void {
  const functions = Array.from({ length: 200 }, (_, at) => `() => [${at}, 'text ${at}'].join()`);
  const text = `[${functions.join(',\n')}].map((one) => one());\nexports.word = () => '${word}';`;
  writeFileSync(join(folder, 'program.cjs'), `${build}${text}`);
}

/** Runs the program in a process of its own. @returns its output */
function load(
  more: Record<string, string> = {},
  flags: readonly string[] = [],
  name = 'devctl.js',
): string {
  const script = join(folder, name);
  writeFileSync(
    script,
    `const { loadCompiled } = require(${JSON.stringify(LOADER)});
    console.log(loadCompiled(${JSON.stringify(join(folder, 'program.cjs'))}).word());`,
  );
  const env = { ...cleanEnvironment(), XDG_CACHE_HOME: cache, ...more };
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, script], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function saved(): [string, ...string[]] {
  const place = join(cache, 'devctl', 'code');
  const [first, ...rest] = existsSync(place) ? readdirSync(place) : [];
  if (first === undefined) throw new Error('nothing was saved');
  return [join(place, first), ...rest.map((name) => join(place, name))];
}
