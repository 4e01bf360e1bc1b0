import { identityKey } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';

/** The part of a tree that has grown: a process with everything below it. */
export interface GrowthBranch {
  readonly top: ProcessInfo;
  readonly processes: number;
  readonly memoryBytes: number;
}

/** What has grown: the number of processes, their memory, or the time that they have used. */
export type BranchGrowth = 'processes' | 'memory' | 'cpu';

/** A branch with this share of the growth explains it. */
const EXPLAINS = 0.8;

/**
 * The smallest part of a tree that explains its growth. Where none does, the largest one that has its parent
 * elsewhere; null for no processes.
 *
 * @param before the same tree when all was well; what is not in it is all growth
 * @param memoryOf in bytes
 */
export function growthBranch(
  before: readonly ProcessInfo[],
  now: readonly ProcessInfo[],
  growth: BranchGrowth,
  memoryOf: (process: ProcessInfo) => number,
): GrowthBranch | null {
  const earlier = new Map(before.map((process) => [identityKey(process.identity), process]));
  const grownBy = (process: ProcessInfo): number => {
    const was = earlier.get(identityKey(process.identity));
    switch (growth) {
      case 'processes':
        return was ? 0 : 1;
      case 'memory':
        return Math.max(0, process.rssBytes - (was?.rssBytes ?? 0));
      case 'cpu':
        return Math.max(0, process.cpuTicks - (was?.cpuTicks ?? 0));
    }
  };
  const tree = toTree(now);
  const weights = sumUp(tree, grownBy);
  const total = now.reduce((sum, process) => sum + grownBy(process), 0);
  // Nothing has grown: the limit has become less. Then everything counts.
  if (total === 0 && before.length > 0) return growthBranch([], now, growth, memoryOf);

  let top = heaviest(tree.roots, weights);
  if (top === null) return null;
  for (;;) {
    const below = heaviest(tree.children.get(top.identity.pid) ?? [], weights);
    if (below === null || (weights.get(below) ?? 0) < EXPLAINS * total) break;
    top = below;
  }
  const counts = sumUp(tree, () => 1);
  const bytes = sumUp(tree, memoryOf);
  return { top, processes: counts.get(top) ?? 1, memoryBytes: bytes.get(top) ?? memoryOf(top) };
}

interface Tree {
  readonly roots: readonly ProcessInfo[];
  readonly children: ReadonlyMap<number, readonly ProcessInfo[]>;
  /** Parents before their children. */
  readonly order: readonly ProcessInfo[];
}

function toTree(processes: readonly ProcessInfo[]): Tree {
  const here = new Set(processes.map(({ identity }) => identity.pid));
  const children = new Map<number, ProcessInfo[]>();
  const roots: ProcessInfo[] = [];
  for (const process of processes) {
    const siblings = children.get(process.ppid);
    if (!here.has(process.ppid)) roots.push(process);
    else if (siblings) siblings.push(process);
    else children.set(process.ppid, [process]);
  }
  // What a table that changes while it is read shows as a circle has no root, and is left out.
  const order = [...roots];
  for (const process of order) order.push(...(children.get(process.identity.pid) ?? []));
  return { roots, children, order };
}

/** For each process, the sum over it and everything below it. */
function sumUp(
  { order, children }: Tree,
  of: (process: ProcessInfo) => number,
): ReadonlyMap<ProcessInfo, number> {
  const sums = new Map<ProcessInfo, number>();
  for (const process of order.toReversed()) {
    const below = children.get(process.identity.pid) ?? [];
    sums.set(
      process,
      below.reduce((sum, child) => sum + (sums.get(child) ?? 0), of(process)),
    );
  }
  return sums;
}

function heaviest(
  processes: readonly ProcessInfo[],
  weights: ReadonlyMap<ProcessInfo, number>,
): ProcessInfo | null {
  let best: ProcessInfo | null = null;
  for (const process of processes) {
    if (best === null || (weights.get(process) ?? 0) > (weights.get(best) ?? 0)) best = process;
  }
  return best;
}
