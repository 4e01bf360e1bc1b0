import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BranchGrowth, growthBranch } from '../../src/limits/growth-branch.ts';
import type { ProcessInfo } from '../../src/processes/snapshot.ts';

interface Row {
  readonly pid: number;
  readonly ppid: number;
  readonly rss?: number;
  readonly cpu?: number;
  readonly start?: number;
}

function process({ pid, ppid, rss = 10, cpu = 0, start = pid }: Row): ProcessInfo {
  return {
    identity: { pid, startTicks: start, bootId: 'boot', pidNamespace: 'ns' },
    ppid,
    pgid: pid,
    sid: pid,
    state: 'S',
    threads: 1,
    kernelThread: false,
    rssBytes: rss,
    cpuTicks: cpu,
    name: `p${pid}`,
  };
}

function branch(before: readonly Row[], now: readonly Row[], growth: BranchGrowth): string {
  const found = growthBranch(before.map(process), now.map(process), growth, (one) => one.rssBytes);
  return found ? `${found.top.identity.pid}: ${found.processes}, ${found.memoryBytes}` : 'none';
}

const server = { pid: 10, ppid: 1 };
const api = { pid: 11, ppid: 10 };
const web = { pid: 12, ppid: 10 };
const npm = { pid: 20, ppid: 12 };
const vitest = { pid: 21, ppid: 20 };
const workers = Array.from({ length: 9 }, (_, index) => ({ pid: 30 + index, ppid: 21 }));

test.each<[string, readonly Row[], readonly Row[], BranchGrowth, string]>([
  ['no processes', [], [], 'processes', 'none'],
  ['one', [], [server], 'processes', '10: 1, 10'],
  [
    'not the wrapper, but the process with the children',
    [server, api, web],
    [server, api, web, npm, vitest, ...workers],
    'processes',
    '21: 10, 100',
  ],
  [
    'grown on both sides: the process above both',
    [server, api, web],
    [server, api, web, { pid: 40, ppid: 11 }, { pid: 41, ppid: 12 }],
    'processes',
    '10: 5, 50',
  ],
  [
    'memory of one old process',
    [server, api, web],
    [server, { ...api, rss: 900 }, web],
    'memory',
    '11: 1, 900',
  ],
  [
    'a number that is used again is another process',
    [server, api, web],
    [server, { ...api, start: 99 }, web],
    'processes',
    '11: 1, 10',
  ],
  [
    'cpu',
    [server, api, web],
    [{ ...server, cpu: 9 }, api, { ...web, cpu: 200 }],
    'cpu',
    '12: 1, 10',
  ],
  [
    'several trees: the tree that has grown',
    [server, { pid: 50, ppid: 2 }],
    [server, { pid: 50, ppid: 2 }, { pid: 51, ppid: 50 }, { pid: 52, ppid: 50 }],
    'processes',
    '50: 3, 30',
  ],
  [
    'nothing has grown, because the limit became smaller: everything counts',
    [server, api, web],
    [server, api, web],
    'processes',
    '10: 3, 30',
  ],
  ['a circle', [], [{ pid: 5, ppid: 6 }, { pid: 6, ppid: 5 }, server], 'processes', '10: 1, 10'],
])('%s', (_what, before, now, growth, expected) => {
  expect(branch(before, now, growth)).toBe(expected);
});

test('in any tree, the branch is a part of it and counts all descendants of its top', () => {
  // Each process has an earlier process or a stranger as its parent.
  const parents = fc.array(fc.nat(), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(parents, fc.nat(), (links, kept) => {
      const rows = links.map((link, index) => ({
        pid: 100 + index,
        ppid: index === 0 || link % 7 === 0 ? 1 : 100 + (link % index),
      }));
      const before = rows.slice(0, kept % rows.length).map(process);
      const found = growthBranch(before, rows.map(process), 'processes', () => 1);
      if (!found) throw new Error('there are processes, and no branch');
      const below = (pid: number): number =>
        rows.filter(({ ppid }) => ppid === pid).reduce((sum, one) => sum + below(one.pid), 1);
      const size = below(found.top.identity.pid);
      if (found.processes !== size || found.memoryBytes !== size) throw new Error('it miscounts');
    }),
  );
});
