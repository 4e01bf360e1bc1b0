import { expect, test } from 'vitest';
import type { Breach } from '../../src/limits/breach.ts';
import { breachInWords, warningInWords } from '../../src/limits/words.ts';

const MB = 1024 ** 2;
const storm: Breach = {
  service: 'web',
  limit: 'processes',
  value: 78,
  allowed: 20,
  action: 'warn',
  measuredAs: null,
  branch: {
    pid: 812,
    command: 'node vitest run',
    processes: 74,
    memoryBytes: 11 * 1024 * MB,
    service: 'web',
  },
  atMs: 0,
};

test.each<[Partial<Breach>, string]>([
  [{}, '78 processes, limit 20; most of it below node vitest run (pid 812): 74 processes, 11 GB'],
  [{ branch: null }, '78 processes, limit 20'],
  [
    { limit: 'memory', value: 30 * 1024 * MB, allowed: 1280 * MB, measuredAs: 'rss' },
    'used 30 GB (rss), limit 1.3 GB; the largest part below node vitest run (pid 812): 74 processes, 11 GB',
  ],
  [
    { limit: 'memory', value: 600 * MB, allowed: 512 * MB, measuredAs: 'pss', branch: null },
    'used 600 MB, limit 512 MB',
  ],
  [{ limit: 'cpu', value: 250.4, allowed: 200, branch: null }, 'used 250.4% of a core, limit 200%'],
  [
    { limit: 'runtime', value: 28_800_312, allowed: 28_800_000, branch: null },
    'ran for 8 h, limit 8 h',
  ],
  [
    { limit: 'idle', value: 1_534, allowed: 1_500, branch: null },
    'no output and no cpu for 1.5 s, limit 1.5 s',
  ],
])('%j', (change, words) => {
  expect(breachInWords({ ...storm, ...change })).toBe(words);
});

test('a warning names the service', () => {
  expect(warningInWords(storm)).toMatch(/^web: 78 processes, limit 20; most/);
  expect(warningInWords({ ...storm, service: null })).toMatch(
    /^all services together: 78 processes.*11 GB \(web\)$/,
  );
});
