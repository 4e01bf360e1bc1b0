import { expect, test } from 'vitest';
import { createLimitMeter } from '../../src/limits/meter.ts';
import type { Limit } from '../../src/manifest/resolved.ts';
import type { Claim } from '../../src/ownership/claim.ts';
import type { Snapshot } from '../../src/processes/snapshot.ts';
import { type Row, snapshotOf } from '../support/process-table.ts';

const LIMITS: readonly Limit[] = [{ kind: 'processes', allowed: 3, windowMs: 0, action: 'warn' }];
const USE = { cpuPercent: 0, runtimeMs: 0, output: null };
const FAN: Row = { pid: 100, ppid: 1, argv: 'fan' };
const children = (count: number): readonly Row[] =>
  Array.from({ length: count }, (_, index) => ({ pid: 101 + index, ppid: 100, argv: 'sleep' }));

function claimsOf(snapshot: Snapshot): readonly Claim[] {
  const ours = [...snapshot.byPid.values()].filter(({ identity }) => identity.pid !== 1);
  return ours.map((process) => ({ process, service: 'web', runId: 'run-web', evidence: [] }));
}

/** The branch that the breach of the last measurement names: its top, and the number of its processes. */
function branchAfter(...looks: readonly (readonly Row[])[]): readonly (number | undefined)[] {
  const tree = createLimitMeter('web');
  const verdicts = looks.map((rows) => {
    const snapshot = snapshotOf([...rows]);
    return tree.measure(LIMITS, claimsOf(snapshot), snapshot, USE);
  });
  const [breach] = verdicts.at(-1)?.fresh ?? [];
  return [breach?.branch?.pid, breach?.branch?.processes];
}

test.each<[string, readonly (readonly Row[])[], number, number]>([
  ['seen from its beginning', [[FAN], [FAN, ...children(3)]], 100, 4],
  ['first seen beyond its limit', [[FAN, ...children(3)]], 100, 4],
  // Since the first measurement only the last process has grown, which explains nothing.
  [
    'first seen near its limit',
    [
      [FAN, ...children(2)],
      [FAN, ...children(3)],
    ],
    100,
    4,
  ],
])('the part that breaks a limit, %s', (_, looks, pid, processes) => {
  expect(branchAfter(...looks)).toEqual([pid, processes]);
});
