import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeToFifo } from '../../../src/services/launch/write-stdin.ts';
import { temporaryProject } from '../../support/temporary-project.ts';

const { O_RDONLY, O_NONBLOCK } = constants;

test('a line arrives at the reader, and a path that is no open FIFO of ours is refused', async () => {
  await using project = await temporaryProject();
  const fifo = join(project.root, 'fifo');
  expect(await writeToFifo(fifo, [Buffer.from('x')])).toMatchObject({
    why: expect.stringMatching(/is gone/),
  });
  execFileSync('mkfifo', [fifo]);
  const text = [Buffer.from('x')];
  expect(await writeToFifo(fifo, text)).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/nobody/),
  });
  const link = join(project.root, 'link');
  symlinkSync(fifo, link);
  expect(await writeToFifo(link, text)).toMatchObject({
    why: expect.stringMatching(/symbolic link/),
  });
  const file = join(project.root, 'file');
  writeFileSync(file, '');
  expect(await writeToFifo(file, text)).toMatchObject({ why: expect.stringMatching(/no FIFO/) });

  const reader = openSync(fifo, O_RDONLY | O_NONBLOCK);
  try {
    const lines = [Buffer.from('one\n'), Buffer.from('two\n')];
    expect(await writeToFifo(fifo, lines)).toEqual({ kind: 'written', bytes: 8, isUnread: null });
    const read = Buffer.alloc(100);
    expect(read.toString('utf8', 0, readSync(reader, read))).toBe('one\ntwo\n');
    // No process reads it, so no more goes in than it holds (64 KB, pipe(7)).
    const much = await writeToFifo(fifo, [Buffer.alloc(200_000, 'x')], { patienceMs: 100 });
    expect(much).toMatchObject({ kind: 'refused', why: expect.stringMatching(/full/) });
    expect(much.bytes).toBeGreaterThan(0);
    expect(much.bytes).toBeLessThan(200_000);
  } finally {
    closeSync(reader);
  }
});
