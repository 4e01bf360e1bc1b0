import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dedupeChanges } from '../../../src/operations/up/once.ts';

const change = (pid: number) =>
  ({ service: 'web', from: 'spawning', to: 'running', pid, reason: null }) as const;

test('two sources with the same news in any order and number: each is told as often as either has it', () => {
  const heard = fc.array(fc.record({ source: fc.constantFrom('start', 'hold'), pid: fc.nat(3) }));
  fc.assert(
    fc.property(heard, (all) => {
      const told: number[] = [];
      const tell = dedupeChanges(({ pid }: ReturnType<typeof change>) => told.push(pid));
      for (const { source, pid } of all) tell(source, change(pid));
      for (const wanted of [0, 1, 2, 3]) {
        const from = (one: string) =>
          all.filter(({ source, pid }) => source === one && pid === wanted).length;
        const times = told.filter((pid) => pid === wanted).length;
        expect(times).toBe(Math.max(from('start'), from('hold')));
      }
    }),
  );
});
