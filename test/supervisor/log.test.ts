import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openSupervisorLog } from '../../src/supervisor/log.ts';
import { temporaryProject } from '../support/temporary-project.ts';

async function withLog(before: string, act: (fd: number, path: string) => void): Promise<void> {
  await using project = await temporaryProject();
  const path = project.file('supervisor.log');
  writeFileSync(path, before);
  const fd = openSync(path, 'a');
  try {
    act(fd, path);
  } finally {
    closeSync(fd);
  }
}

test('a log that has grown too large begins anew', async () => {
  await withLog('x'.repeat(1024 * 1024 + 1), (fd, path) => {
    openSupervisorLog(fd)('hello');
    expect(readFileSync(path, 'utf8')).toMatch(/^\d{4}-\S+Z hello\n$/);
  });
});

test('it stays small while it is written to', async () => {
  await withLog('', (fd, path) => {
    const log = openSupervisorLog(fd);
    for (let line = 0; line < 3_000; line += 1) log(`${line} ${'x'.repeat(1_000)}`);
    expect(statSync(path).size).toBeLessThan(1024 * 1024 + 2_000);
  });
});

test('the same words are said once, and then how often they were not', async () => {
  await withLog('', (fd, path) => {
    let nowMs = 0;
    const log = openSupervisorLog(fd, () => nowMs);
    for (let time = 0; time < 5; time += 1) log('no luck');
    log('other words');
    nowMs = 11_000;
    log('no luck');
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    expect(lines.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'no luck',
      'other words',
      'no luck (and 4 times before)',
    ]);
  });
});

test.runIf(process.platform === 'linux')('a full disk does not matter', () => {
  const fd = openSync('/dev/full', 'a');
  try {
    expect(() => openSupervisorLog(fd)('hello')).not.toThrow();
  } finally {
    closeSync(fd);
  }
});
