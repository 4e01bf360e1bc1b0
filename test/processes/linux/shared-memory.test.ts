import { expect, test } from 'vitest';
import { parsePss, readPss } from '../../../src/processes/linux/shared-memory.ts';
import { bytesWritten } from '../../../src/processes/linux/written-bytes.ts';

test('the line of the whole, not of a part', () => {
  const rollup = 'Rss:  9000 kB\nPss_Anon:  1 kB\nPss:        4100 kB\nSwapPss: 3 kB\n';
  expect(parsePss(rollup)).toBe(4_100 * 1024);
  expect(parsePss('')).toBeNull();
});

test.runIf(process.platform === 'linux')('of a living process, and of none', () => {
  const own = readPss(process.pid) ?? 0;
  expect(own).toBeGreaterThan(1024 ** 2);
  expect(own).toBeLessThanOrEqual(process.memoryUsage.rss() * 1.2);
  expect(readPss(4_194_303)).toBe(0);
  expect(bytesWritten(process.pid)).toBeGreaterThan(0);
  expect(bytesWritten(4_194_303)).toBeNull();
});
