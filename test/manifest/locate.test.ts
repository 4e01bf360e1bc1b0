import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findManifest, locateManifest } from '../../src/manifest/locate.ts';
import { errorOf, folderWith } from './folder.ts';

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
    looked: cwd,
    root: null,
    passedOver: [],
  });
  const error = errorOf(() => locateManifest({ cwd }));
  expect(error).toMatchObject({ code: 'manifest-not-found', exitCode: 2 });
  expect(error.message).toBe(`no .devctl.json in ${cwd} or in any folder above it`);
  expect(error.hint).toContain('--config FILE');
});

test('a missing file of --config is named, and its folder is still known', () => {
  const cwd = folderWith({ 'a/file': '' });
  expect(findManifest({ cwd, config: 'a/x.json' })).toEqual({
    kind: 'absent',
    looked: join(cwd, 'a', 'x.json'),
    root: join(cwd, 'a'),
    passedOver: [],
  });
  expect(findManifest({ cwd, config: 'no/x.json' })).toMatchObject({ kind: 'absent', root: null });
  expect(findManifest({ cwd, config: 'a/file/x.json' })).toMatchObject({ kind: 'absent' });
  expect(errorOf(() => locateManifest({ cwd, config: 'a/x.json' })).message).toBe(
    `a/x.json: no such file (${join(cwd, 'a', 'x.json')})`,
  );
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
  expect(findManifest({ cwd })).toMatchObject({ kind: 'absent', root: null });
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
