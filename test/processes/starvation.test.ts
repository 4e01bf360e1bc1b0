import { expect, test } from 'vitest';
import { isStarvedOfCpu, isSuspended } from '../../src/processes/starvation.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const IT = identity(100);
const after = (row: Partial<Row>) => snapshotOf([{ pid: 100, ...row }]);

test.each<[string, boolean, Partial<Row>]>([
  ['has had nothing', true, { cpuTicks: 10 }],
  ['has had a little', true, { cpuTicks: 34 }],
  ['has had enough', false, { cpuTicks: 35 }],
  ['is suspended', false, { cpuTicks: 10, state: 'T' }],
  ['stands in a debugger', false, { cpuTicks: 10, state: 't' }],
  ['has died', false, { cpuTicks: 10, state: 'Z' }],
  ['has died, and another one has its number', false, { cpuTicks: 0, ticks: 5_000 }],
])('who does not answer has only not been let run: %s', (_, expected, row) => {
  expect(isStarvedOfCpu(IT, after({ cpuTicks: 10 }), after(row))).toBe(expected);
});

test('who is suspended, and who is not', () => {
  expect(['T', 't', 'S', 'R', 'D', 'Z'].map((state) => isSuspended(IT, after({ state })))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
