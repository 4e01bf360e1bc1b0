import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { openFifo } from '../../../src/services/launch/stdin-fifo.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';

const path = (project: TemporaryProject) => project.file('web.stdin');

async function openedInode(project: TemporaryProject): Promise<number> {
  closeSync(await openFifo(path(project)));
  const stat = lstatSync(path(project));
  expect(stat.isFIFO()).toBe(true);
  expect(stat.mode & 0o777).toBe(0o600);
  return stat.ino;
}

test('a FIFO of ours is used again', async () => {
  await using project = await temporaryProject();
  const made = await openedInode(project);
  expect(await openedInode(project)).toBe(made);
});

test('a FIFO that others may open is made anew', async () => {
  await using project = await temporaryProject();
  await openedInode(project);
  chmodSync(path(project), 0o666);
  await openedInode(project);
});

test('a file is replaced', async () => {
  await using project = await temporaryProject(undefined, { 'web.stdin': 'text' });
  await openedInode(project);
});

test('a link is replaced, and its target is not touched', async () => {
  await using project = await temporaryProject(undefined, { target: 'text' });
  symlinkSync(project.file('target'), path(project));
  await openedInode(project);
  expect(readFileSync(project.file('target'), 'utf8')).toBe('text');
});

test('a folder is left alone', async () => {
  await using project = await temporaryProject();
  mkdirSync(path(project));
  await expect(openFifo(path(project))).rejects.toThrow(/it is a folder/);
  expect(existsSync(path(project))).toBe(true);
});

test('a FIFO that cannot be made is an error with a way out', async () => {
  await using project = await temporaryProject();
  await expect(openFifo(project.file('gone/web.stdin'))).rejects.toMatchObject({
    code: 'start-failed',
    message: expect.stringMatching(/No such file or directory; set "stdin": "null"/),
  });
});
