import { expect, test } from 'vitest';
import { growTrees, type TreeProcess } from '../../../src/operations/status/tree.ts';
import type { Claim } from '../../../src/ownership/claim.ts';
import { type Row, snapshotOf } from '../../support/process-table.ts';

function shape(roots: readonly TreeProcess[]): unknown {
  return roots.map(({ pid, children }) => (children.length > 0 ? [pid, shape(children)] : pid));
}

test.each([
  [
    'processes are below their parents, oldest first',
    [
      [1, 0],
      [3, 1],
      [2, 1],
      [4, 2],
    ],
    [[1, [[2, [4]], 3]]],
  ],
  [
    'a process whose parent is not of the service is a root',
    [
      [2, 99],
      [3, 2],
      [5, 1],
    ],
    [[2, [3]], 5],
  ],
  [
    'a circle loses no process',
    [
      [2, 3],
      [3, 2],
    ],
    [2, 3],
  ],
] as const)('%s', (_, pairs, expected) => {
  const rows: Row[] = pairs.map(([pid, ppid]) => ({ pid: pid + 100, ppid: ppid + 100 }));
  const snapshot = snapshotOf(rows);
  const ours = [...snapshot.byPid.values()].filter(({ identity }) => identity.pid > 1);
  const claims = ours.map(
    (process): Claim => ({ process, service: 'web', runId: 'a', evidence: [] }),
  );
  const roots = growTrees(claims, snapshot, () => false);
  const plus = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(plus) : (value as number) + 100;
  expect(shape(roots)).toEqual(plus(expected));
});
