import { expect, test } from 'vitest';
import { isStarvedOfCpu, isSuspended, patienceWith } from '../../src/processes/starvation.ts';
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

test.each([
  [0, 'R', 1_000],
  [1, 'R', 1_000],
  [2.5, 'S', 2_500],
  [40, 'D', 6_000],
  [40, 'T', 1_000],
  [40, 't', 1_000],
])(
  'at a load of %d for each core a process in state %s gets %i ms instead of a second',
  (load, state, ms) => {
    expect(patienceWith({ state }, 1_000, load)).toBe(ms);
  },
);

test('a process that is gone gets no more time on a busy machine', () => {
  expect(patienceWith(null, 1_000, 40)).toBe(1_000);
});
