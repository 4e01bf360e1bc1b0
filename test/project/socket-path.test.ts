import { chmodSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFolder } from '../../src/project/folder.ts';
import { projectHash } from '../../src/project/names.ts';
import { prepareSocketPath, socketPaths, whyUnsafeSocket } from '../../src/project/socket-path.ts';
import { temporaryFolder } from './records-folder.ts';

test('the path is short, private, and the same without records', async () => {
  const runtime = temporaryFolder();
  const root = join(temporaryFolder(), 'deep/'.repeat(40));
  mkdirSync(root, { recursive: true });
  const folder = projectFolder(root);
  const path = prepareSocketPath(folder, { XDG_RUNTIME_DIR: runtime });
  expect(path).toBe(join(runtime, 'devctl', `${projectHash(folder.root)}.sock`));
  expect(lstatSync(dirname(path)).mode & 0o777).toBe(0o700);

  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  rmSync(folder.pidsDir, { recursive: true, force: true });
  expect(socketPaths(projectFolder(root), { XDG_RUNTIME_DIR: runtime })[0]).toBe(path);
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ['not set', () => undefined],
  ['not there', () => '/nonexistent/runtime'],
  ['a relative path', () => 'run'],
  ['too long', () => join(temporaryFolder(), 'x'.repeat(90))],
])('XDG_RUNTIME_DIR %s: another folder is taken', (_name, runtime) => {
  const folder = projectFolder(temporaryFolder());
  const XDG_RUNTIME_DIR = runtime();
  if (XDG_RUNTIME_DIR?.includes('xxx')) mkdirSync(XDG_RUNTIME_DIR);
  const path = prepareSocketPath(folder, { XDG_RUNTIME_DIR });
  expect(Buffer.byteLength(path)).toBeLessThan(100);
  expect(path.startsWith(tmpdir()) || path.startsWith('/run/user/')).toBe(true);
  expect(socketPaths(folder, {})).toContain(path);
});

test('a folder that other users may enter is closed to them', () => {
  const runtime = temporaryFolder();
  mkdirSync(join(runtime, 'devctl'));
  chmodSync(join(runtime, 'devctl'), 0o777);
  const path = prepareSocketPath(projectFolder(temporaryFolder()), { XDG_RUNTIME_DIR: runtime });
  expect(lstatSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test.each<[string, (path: string) => void]>([
  ['a symbolic link', (path) => symlinkSync(tmpdir(), path)],
  ['a file', (path) => writeFileSync(path, '')],
])('%s in place of the folder is refused, and no socket below it is used', (_name, make) => {
  const XDG_RUNTIME_DIR = temporaryFolder();
  make(join(XDG_RUNTIME_DIR, 'devctl'));
  const folder = projectFolder(temporaryFolder());
  expect(() => prepareSocketPath(folder, { XDG_RUNTIME_DIR })).toThrow(/is not safe to use/);
  const reachable = socketPaths(folder, { XDG_RUNTIME_DIR });
  expect(reachable.filter((path) => path.startsWith(XDG_RUNTIME_DIR))).toEqual([]);
});

test('a place where others could replace our folder is passed over, and no socket there is used', () => {
  const open = temporaryFolder();
  chmodSync(open, 0o777);
  const XDG_RUNTIME_DIR = join(open, 'inside');
  mkdirSync(join(XDG_RUNTIME_DIR, 'devctl'), { recursive: true, mode: 0o700 });
  const folder = projectFolder(temporaryFolder());
  const wanted = join(XDG_RUNTIME_DIR, 'devctl', `${projectHash(folder.root)}.sock`);
  expect(prepareSocketPath(folder, { XDG_RUNTIME_DIR })).not.toBe(wanted);
  expect(socketPaths(folder, { XDG_RUNTIME_DIR })).not.toContain(wanted);
  expect(whyUnsafeSocket(wanted)).toBe(`others may write to ${open}`);
  // As /tmp: there only the owner of a name may rename it.
  chmodSync(open, 0o1777);
  expect(prepareSocketPath(folder, { XDG_RUNTIME_DIR })).toBe(wanted);
  writeFileSync(wanted, '');
  expect(whyUnsafeSocket(wanted)).toBe('not a socket');
});
