import { expect, test } from 'vitest';
import { sortNameless } from '../../src/ownership/nameless.ts';
import { identity, snapshotOf } from '../support/process-table.ts';

const [OURS, THEIRS] = [identity(10), identity(20)];
/** The process of the entries, below process 1. */
const PID = 100;

test.each<
  [
    string,
    {
      parents?: readonly number[];
      ours?: readonly number[];
      theirs?: readonly number[];
      below?: number;
    },
    'ours' | 'theirs' | 'in doubt',
  ]
>([
  ['was a child of our supervisor', { parents: [10] }, 'ours'],
  ['was a child of theirs', { parents: [20] }, 'theirs'],
  ['was a child of our supervisor, seen twice', { parents: [1, 10] }, 'ours'],
  ['was a child of a process of either', { parents: [50] }, 'in doubt'],
  ['was a child of each', { parents: [10, 20] }, 'in doubt'],
  ['is below our supervisor still', { parents: [50], below: 10 }, 'ours'],
  ['is below theirs still', { parents: [50], below: 20 }, 'theirs'],
  ['is older than the supervisor with the number of its parent', { parents: [200] }, 'in doubt'],
  ['of a folder where we have no record', { ours: [], parents: [50] }, 'theirs'],
  ['of a folder where no run of theirs had a process', { theirs: [], parents: [50] }, 'ours'],
])('a process that %s', (_what, story, expected) => {
  const { parents = [], below = 1, ours = [10, 200], theirs = [20] } = story;
  const entries = parents.map((ppid) => ({ identity: identity(PID), ppid }));
  const residents = {
    ours: ours.map((pid) => identity(pid)),
    others: theirs.map((pid) => identity(pid)),
  };
  const rows = [OURS, THEIRS].map(({ pid }) => ({ pid }));
  const snapshot = snapshotOf([...rows, { pid: PID, ppid: below }]);
  const sorted = sortNameless(entries, residents, snapshot);
  const doubt = sorted.inDoubt.length > 0 ? 'in doubt' : 'theirs';
  expect(sorted.ours.length > 0 ? 'ours' : doubt).toBe(expected);
});
