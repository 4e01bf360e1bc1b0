import { expect, test } from 'vitest';
import type { LockHolder, TicketFolder } from '../../src/lock/ticket.ts';
import { projectNameOf, worksFor } from '../../src/lock/whose.ts';
import { variantOf } from '../../src/project/names.ts';

const project = {
  root: '/P',
  id: null,
  manifestName: '.devctl.json',
  identity: { device: '1', inode: '10' },
};
const own: TicketFolder = {
  path: '/P',
  device: '1',
  inode: '10',
  pidsDir: '/shared',
  manifest: '.devctl.json',
};
const { manifest: _, ...early } = own;

test.each<[string, boolean, TicketFolder | undefined]>([
  ['our folder and manifest', true, own],
  ['our folder, made again meanwhile', true, { ...own, inode: '11' }],
  ['our folder, before it was moved here', true, { ...own, path: '/old' }],
  ['another folder', false, { ...own, path: '/Q', inode: '11' }],
  ['another folder with our inode on another device', false, { ...own, path: '/Q', device: '2' }],
  ['another manifest of our folder', false, { ...own, manifest: 'b.json' }],
  ['our folder, as an early version says it', true, early],
  ['another folder, as an early version says it', false, { ...early, path: '/Q', inode: '11' }],
  ['our inode at another path, as an early version says it', false, { ...early, path: '/old' }],
  ['no folder', false, undefined],
])('a holder that works for %s: ours %s', (_title, ours, folder) => {
  const holder: Pick<LockHolder, 'folder'> = folder ? { folder } : {};
  expect(worksFor(project, holder)).toBe(ours);
});

test('a folder that cannot be looked at is known by its path alone', () => {
  const gone = { ...project, identity: null };
  expect(worksFor(gone, { folder: own })).toBe(true);
  expect(worksFor(gone, { folder: { ...own, path: '/old' } })).toBe(false);
});

test('the id decides where the manifest is gone that it stands for', () => {
  const id = `0123456789abcdef${variantOf('b.json')}`;
  expect(worksFor({ ...project, id }, { folder: { ...own, manifest: 'b.json' } })).toBe(true);
  expect(worksFor({ ...project, id }, { folder: own })).toBe(false);
});

test.each<[string | null, TicketFolder | undefined]>([
  ['/P', own],
  ['/P', early],
  ['/P/b.json', { ...own, manifest: 'b.json' }],
  [null, undefined],
])('a holder is named as %s', (name, folder) => {
  expect(projectNameOf(folder ? { folder } : {})).toBe(name);
});
