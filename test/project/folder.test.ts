import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DevctlError } from '../../src/errors.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { markOfPath } from '../../src/project/names.ts';
import { folderProblem, prepareFolder, writableFolder } from '../../src/project/records-folder.ts';
import { temporaryFolder, temporaryRecords } from './records-folder.ts';

const mode = (path: string) => lstatSync(path).mode & 0o777;

function failure(act: () => unknown): DevctlError {
  try {
    act();
  } catch (error) {
    if (error instanceof DevctlError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('the project id is the same through a symbolic link and differs between two checkouts', () => {
  const root = temporaryFolder();
  const [one, two, link] = ['one/My App_2', 'two/My App_2', 'link'].map((name) => join(root, name));
  if (!one || !two || !link) throw new Error('unreachable');
  mkdirSync(one, { recursive: true });
  mkdirSync(two, { recursive: true });
  symlinkSync(one, link);
  expect(markOfPath(one)).toMatch(/^my-app-2-[0-9a-f]{16}$/);
  expect(markOfPath(link)).toBe(markOfPath(one));
  expect(markOfPath(two)).not.toBe(markOfPath(one));
  expect(projectFolder(link)).toMatchObject({
    root: one,
    pidsDir: join(one, '.pids'),
    mark: markOfPath(one),
    marks: [markOfPath(one)],
    paths: [one],
    id: null,
  });
});

test.each([
  ['ünï ☃', /^n-[0-9a-f]{16}$/],
  ['☃', /^project-[0-9a-f]{16}$/],
  ['a'.repeat(60), /^a{24}-[0-9a-f]{16}$/],
  [`${'a'.repeat(23)}-b`, /^a{23}-[0-9a-f]{16}$/],
])('the project id of the folder %j holds only a-z, 0-9 and dashes', (name, expected) => {
  expect(markOfPath(join(temporaryFolder(), name))).toMatch(expected);
});

test('the records folder is private, keeps itself out of git, and can be prepared again', () => {
  const folder = temporaryRecords();
  prepareFolder(folder);
  for (const part of ['', 'services', 'ledger', 'logs']) {
    expect(mode(join(folder.pidsDir, part))).toBe(0o700);
  }
  expect(readFileSync(join(folder.pidsDir, '.gitignore'), 'utf8')).toBe('*\n');
});

test('a .pids of an old start-dev.sh is taken over and closed to others', () => {
  const folder = projectFolder(temporaryFolder());
  mkdirSync(folder.pidsDir, { mode: 0o755 });
  writeFileSync(join(folder.pidsDir, 'services.pids'), '1234\n');
  prepareFolder(folder);
  expect(mode(folder.pidsDir)).toBe(0o700);
  expect(readFileSync(join(folder.pidsDir, 'services.pids'), 'utf8')).toBe('1234\n');
});

test.each(['.', 'services', 'ledger', 'logs'])('a symbolic link as %s is refused', (part) => {
  const folder = temporaryRecords();
  const path = join(folder.pidsDir, part);
  const elsewhere = temporaryFolder();
  rmSync(path, { recursive: true });
  symlinkSync(elsewhere, path.replace(/\/$/, ''));
  const error = failure(() => prepareFolder(folder));
  expect(error.code).toBe('unsafe');
  expect(error.message).toContain(`${path} is not safe to use: a symbolic link`);
  expect(readdirSync(elsewhere)).toEqual([]);
  if (part === 'services') expect(folderProblem(folder, 'services')?.kind).toBe('refused');
});

test('a file as .pids is refused', () => {
  const folder = projectFolder(temporaryFolder());
  writeFileSync(folder.pidsDir, '');
  expect(failure(() => prepareFolder(folder)).message).toMatch(/not a folder/);
});

const PARTS = ['history', 'ledger', 'log-notes', 'logs', 'services'];

test('a folder that serves other purposes keeps its mode and gets no .gitignore', () => {
  const folder = projectFolder(temporaryFolder(), 'var');
  mkdirSync(folder.pidsDir);
  chmodSync(folder.pidsDir, 0o755);
  prepareFolder(folder);
  expect(mode(folder.pidsDir)).toBe(0o755);
  expect(readdirSync(folder.pidsDir).sort()).toEqual(PARTS);

  chmodSync(folder.pidsDir, 0o777);
  expect(failure(() => prepareFolder(folder)).message).toMatch(/others may write to it/);
  expect(mode(folder.pidsDir)).toBe(0o777);
});

test.each(['.', '..', '/'])(
  'pidsDir %j, which holds the project, is refused untouched',
  (pidsDir) => {
    const folder = projectFolder(temporaryFolder(), pidsDir);
    expect(failure(() => prepareFolder(folder)).code).toBe('unsafe');
    expect(readdirSync(folder.root)).toEqual([]);
  },
);

test('.pids is made again after somebody removed it, the project is not', () => {
  const folder = temporaryRecords();
  rmSync(folder.pidsDir, { recursive: true });
  expect(writableFolder(folder, 'services')).toBe(join(folder.pidsDir, 'services'));
  expect(existsSync(join(folder.pidsDir, '.gitignore'))).toBe(true);

  renameSync(folder.root, `${folder.root}-moved`);
  try {
    expect(failure(() => writableFolder(folder, 'services')).message).toMatch(/is gone/);
    expect(existsSync(folder.root)).toBe(false);
  } finally {
    renameSync(`${folder.root}-moved`, folder.root);
  }
});

test('only the old temporary files of killed writers are removed', () => {
  const folder = temporaryRecords();
  const services = join(folder.pidsDir, 'services');
  for (const name of [
    '.web.json.0123456789abcdef.tmp',
    '.web.json.fedcba9876543210.tmp',
    'x.tmp',
  ]) {
    writeFileSync(join(services, name), '');
  }
  utimesSync(join(services, '.web.json.0123456789abcdef.tmp'), 1, 1);
  utimesSync(join(services, 'x.tmp'), 1, 1);
  prepareFolder(folder);
  expect(readdirSync(services).sort()).toEqual(['.web.json.fedcba9876543210.tmp', 'x.tmp']);
});
