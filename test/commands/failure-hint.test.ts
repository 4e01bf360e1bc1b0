import { chmodSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failureHint } from '../../src/commands/failure-hint.ts';
import { folderWith } from '../manifest/folder.ts';

const CRLF = "#!/bin/sh\r\necho 'x'\r\n";

test.each<
  [name: string, command: string | readonly string[], lines: readonly string[], hint: RegExp | null]
>([
  [
    'a program of node_modules, dash',
    'vite',
    ['/bin/sh: 1: vite: not found'],
    /^vite is in .*node_modules\/\.bin: "command": "npx vite …" starts it$/,
  ],
  ['the same, bash', 'vite --port 1', ['/bin/sh: line 1: vite: command not found'], /npx vite/],
  [
    'a program that is nowhere',
    'xyzzyx',
    ['/bin/sh: 1: exec: xyzzyx: not found'],
    /^"xyzzyx" was not found on PATH \(\.devctl\.json:3\)$/,
  ],
  [
    'two letters changed their places',
    'nmp run dev',
    ['/bin/sh: 1: exec: nmp: not found'],
    /^"nmp" was not found \(\.devctl\.json:3\): did you mean npm\?$/,
  ],
  ['one other letter, in node_modules', 'vote', ['sh: 1: vote: not found'], /mean npx vite\?$/],
  ['several of them', 'noda', ['sh: 1: noda: not found'], /^"noda" was not found on PATH \(/],
  ['another failure', 'vite', ['vite: something was not found here', 'exit'], null],
  [
    'a script with CRLF, as a list',
    ['./run.sh'],
    [],
    /^the first line of \.\/run\.sh ends in CRLF.*sed -i 's\/\\r\$\/\/' \/.*\/run\.sh$/,
  ],
  ['a script with CRLF, as a text', './run.sh --now', ['/bin/sh: 1: ./run.sh: not found'], /CRLF/],
  ['behind other words', 'true && ./run.sh', ['/bin/sh: 1: ./run.sh: not found'], /CRLF/],
  ['a good script', './good.sh', [], null],
  ['no file', './none.sh', ['/bin/sh: 1: ./none.sh: not found'], null],
])('%s', (_name, command, lastLines, hint) => {
  const root = folderWith({
    'node_modules/.bin/vite': '',
    'bin/npm': '',
    'bin/nm': '',
    'bin/cmp': '',
    'bin/node': '',
    'bin/nods': '',
    'web/run.sh': CRLF,
    'web/good.sh': CRLF.replaceAll('\r', ''),
  });
  for (const name of ['npm', 'nm', 'cmp', 'node', 'nods']) chmodSync(`${root}/bin/${name}`, 0o755);
  chmodSync(`${root}/node_modules/.bin/vite`, 0o755);
  const place = { command, cwd: `${root}/web`, env: { PATH: '../bin' } };
  const found = failureHint({ lastLines, reason: 'exited with code 127' }, place, '.devctl.json:3');
  if (hint === null) expect(found).toBeNull();
  else expect(found).toMatch(hint);
});

test('words of a log about something else name no program', () => {
  const place = { command: 'node server.js', cwd: folderWith({}), env: {} };
  for (const line of ['Error: user: not found', 'config: not found']) {
    expect(
      failureHint({ lastLines: [line], reason: 'exited with code 1' }, place, '.devctl.json:3'),
    ).toBeNull();
  }
});

test.each<
  [name: string, files: Readonly<Record<string, string>>, line: string, hint: RegExp | null]
>([
  [
    'no packages, a program',
    { 'package.json': '{}' },
    '/bin/sh: 1: vite: not found',
    /^its packages are not installed: cd \S+ && npm install$/,
  ],
  [
    'no packages, a module; pnpm, above',
    { 'pnpm-lock.yaml': '', 'package.json': '{}', 'web/package.json': '{}' },
    "Error: Cannot find module 'express'",
    /^its packages are not installed: cd \S+\/web && npm install$/,
  ],
  [
    'no packages, pnpm',
    { 'web/pnpm-lock.yaml': '', 'web/package.json': '{}' },
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@a/b' imported from /x.js",
    /&& pnpm install$/,
  ],
  [
    'packages are there',
    { 'package.json': '{}', 'node_modules/x': '' },
    "Error: Cannot find module 'y'",
    null,
  ],
  [
    'a file of the project',
    { 'package.json': '{}' },
    "Error: Cannot find module '/x/server.js'",
    null,
  ],
  [
    'a script that package.json does not have',
    { 'package.json': '{"scripts": {"build": "x", "start": "y"}}' },
    'npm error Missing script: "dev"',
    /^package\.json has no script "dev", but build, start: "command": "npm run start"$/,
  ],
  [
    'a mistyped script, pnpm',
    { 'package.json': '{"scripts": {"develop": "x"}}' },
    'ERR_PNPM_NO_SCRIPT\u2009 Missing script: devlop',
    /"npm run develop"$/,
  ],
  ['no scripts', { 'package.json': '[]' }, 'npm error Missing script: "dev"', null],
  [
    'package.json in a folder below',
    { 'web/app/package.json': '{}' },
    "npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open 'x'",
    /but one in app: "cwd": "app"$/,
  ],
  [
    'no package.json',
    {},
    "npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open 'x'",
    /npm init -y$/,
  ],
  [
    'a command that failed',
    { 'package.json': '{"scripts": {"start": "x"}}' },
    'Command failed',
    null,
  ],
])('%s', (_name, files, line, hint) => {
  const root = folderWith({ 'web/x': '', ...files });
  const found = failureHint({ lastLines: [line] }, { command: 'x', cwd: `${root}/web` });
  if (hint === null) expect(found).toBeNull();
  else expect(found).toMatch(hint);
});
