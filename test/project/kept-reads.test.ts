import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forgetReads, keepReads } from '../../src/project/kept-reads.ts';
import { temporaryFolder } from './records-folder.ts';

function keeper(settledMs?: number) {
  const path = join(temporaryFolder(), 'file');
  const kept = keepReads<string>(settledMs);
  let reads = 0;
  const read = (result = 'good') => {
    kept.read(
      path,
      () => {
        reads += 1;
        return result;
      },
      (one) => one === 'good',
    );
    return reads;
  };
  return { path, read };
}

describe('a file', () => {
  test('that has not changed is read once, until the reads are forgotten', () => {
    const { path, read } = keeper(0);
    writeFileSync(path, 'one');
    expect([read(), read()]).toEqual([1, 1]);
    forgetReads();
    expect([read(), read()]).toEqual([2, 2]);
  });

  test.each<[string, (path: string) => void]>([
    ['was written to', (path) => writeFileSync(path, 'longer')],
    ['got another line', (path) => writeFileSync(path, 'x', { flag: 'a' })],
    [
      'was replaced by one of the same size',
      (path) => {
        writeFileSync(`${path}.new`, 'two');
        renameSync(`${path}.new`, path);
      },
    ],
    ['is gone', (path) => rmSync(path)],
  ])('that %s is read again', (_what, change) => {
    const { path, read } = keeper(0);
    writeFileSync(path, 'one');
    read();
    change(path);
    expect(read()).toBe(2);
  });

  test('that has just been changed may change again within one tick of the clock, so it is read each time', () => {
    const { path, read } = keeper();
    writeFileSync(path, 'one');
    expect([read(), read()]).toEqual([1, 2]);
  });

  test('of which something else has spoilt the read is read again', () => {
    const { path, read } = keeper(0);
    writeFileSync(path, 'one');
    expect([read('spoilt'), read()]).toEqual([1, 2]);
  });
});
