import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findManifest, locateManifest } from '../../src/manifest/locate.ts';
import { errorOf, folderWith, write } from './folder.ts';

test('a manifest above the current folder is found, with the local one beside it', () => {
  const root = folderWith({ '.devctl.json': '', '.devctl.local.json': '', 'a/b/c': '' });
  expect(findManifest({ cwd: join(root, 'a', 'b') })).toEqual({
    kind: 'found',
    file: join(root, '.devctl.json'),
    root,
    local: join(root, '.devctl.local.json'),
    trusted: true,
  });
});

test('without a manifest the error says where it looked and what to do', () => {
  const cwd = folderWith({});
  expect(findManifest({ cwd })).toEqual({
    kind: 'absent',
    root: cwd,
    passedOver: [],
  });
  const error = errorOf(() => locateManifest({ cwd }));
  expect(error).toMatchObject({ code: 'manifest-not-found', exitCode: 2 });
  expect(error.message).toBe(`no .devctl.json in ${cwd} or in any folder above it`);
  expect(error.hint).toBe(
    `go to a folder of the project, name a manifest with --config FILE, or write one: npx --no-install devctl init`,
  );
  write(join(cwd, 'devctl.yaml'), 'services:');
  expect(errorOf(() => locateManifest({ cwd })).hint).toMatch(
    /^devctl\.yaml is not read: a manifest is JSON/,
  );
  write(join(cwd, 'devctl.json'), '{}');
  expect(errorOf(() => locateManifest({ cwd })).hint).toMatch(/^mv devctl\.json \.devctl\.json/);
});

test('a folder that --config names means the manifest in it', () => {
  const cwd = folderWith({ 'a/.devctl.json': '', 'a/sub/x': '', 'bare/x': '' });
  symlinkSync(join(cwd, 'a', 'sub'), join(cwd, 'link'));
  const found = { kind: 'found', file: join(cwd, 'a', '.devctl.json'), root: join(cwd, 'a') };
  // `link/..` is the folder above the target of the link, as for every other program.
  for (const config of ['a', 'a/', './a', 'a/sub/..', 'link/..', join(cwd, 'a')]) {
    expect(findManifest({ cwd, config }), config).toMatchObject(found);
  }
  expect(findManifest({ cwd, config: 'bare' })).toEqual({
    kind: 'absent',
    root: join(cwd, 'bare'),
    passedOver: [],
  });
  expect(errorOf(() => locateManifest({ cwd, config: 'bare' }))).toMatchObject({
    code: 'manifest-not-found',
    exitCode: 2,
    message: `bare: no .devctl.json in ${join(cwd, 'bare')}`,
  });
});

// Each of these once led to the project of another folder.
test.each([
  ['', '--config is empty'],
  [' ', ' : no such file'],
  ['x.json', 'x.json: no such file'],
  ['a/x.json', 'a/x.json: no such file'],
  ['no/.devctl.json', 'no/.devctl.json: no such file'],
  ['a/file/x.json', 'a/file/x.json: no such file'],
  ['broken', 'broken: a link that leads nowhere'],
  ['circle', 'circle: a link that leads nowhere'],
  ['fifo', 'fifo: neither a file nor a folder'],
  ['/dev/null', '/dev/null: neither a file nor a folder'],
  ['a\0b', 'cannot be read'],
])('--config %j leads to no project', (config, message) => {
  const cwd = folderWith({ '.devctl.json': '{}', 'a/file': '' });
  symlinkSync('nowhere', join(cwd, 'broken'));
  symlinkSync('circle', join(cwd, 'circle'));
  execFileSync('mkfifo', [join(cwd, 'fifo')]);
  for (const find of [findManifest, locateManifest]) {
    const error = errorOf(() => find({ cwd, config }));
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(message);
  }
});

test('a manifest that is missing in a folder is to be named by the folder', () => {
  const cwd = folderWith({ 'a/file': '' });
  const error = errorOf(() => locateManifest({ cwd, config: 'a/.devctl.json' }));
  expect(error.message).toBe(`a/.devctl.json: no such file (${join(cwd, 'a', '.devctl.json')})`);
  expect(error.hint).toContain(`--config ${join(cwd, 'a')}`);
});

test('no search begins in a folder that is gone', () => {
  const cwd = folderWith({ '.devctl.json': '{}' });
  const gone = join(cwd, 'gone');
  const error = errorOf(() => findManifest({ cwd: gone }));
  expect(error).toMatchObject({ code: 'folder-gone', exitCode: 2 });
  expect(error.hint).toContain(`devctl stop --project ${gone}`);
  expect(findManifest({ cwd: gone, config: cwd })).toMatchObject({ kind: 'found', root: cwd });
});

test('a local file is not merged over itself', () => {
  const cwd = folderWith({ '.devctl.local.json': '' });
  expect(findManifest({ cwd, config: '.devctl.local.json' })).toMatchObject({ local: null });
});

const isRoot = process.geteuid?.() === 0;
const EVE = 65_533;

test.runIf(isRoot)('the search skips a manifest that another user left above the folder', () => {
  const root = folderWith({ '.devctl.json': '{}', '.devctl.local.json': '{}', 'mine/x': '' });
  const [file, local] = ['.devctl.json', '.devctl.local.json'].map((name) => join(root, name));
  const cwd = join(root, 'mine');
  chownSync(local ?? '', EVE, EVE);
  expect(findManifest({ cwd })).toMatchObject({ kind: 'found', local: null, trusted: true });
  chownSync(file ?? '', EVE, EVE);
  expect(findManifest({ cwd })).toMatchObject({ kind: 'absent', root: cwd });
  const error = errorOf(() => locateManifest({ cwd }));
  expect(error.message).toContain(`(passed over: ${file} belongs to user ${EVE})`);

  // The user has named the manifest, or works in a folder of its owner, so it is found. It is not trusted
  // all the same.
  const named = { kind: 'found', file, trusted: false };
  expect(findManifest({ cwd, config: '../.devctl.json' })).toMatchObject(named);
  mkdirSync(join(root, 'hers'));
  chownSync(join(root, 'hers'), EVE, EVE);
  expect(findManifest({ cwd: join(root, 'hers') })).toMatchObject({ ...named, local });
});
