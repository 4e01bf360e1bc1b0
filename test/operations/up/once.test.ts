import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dedupeChanges } from '../../../src/operations/up/once.ts';

const change = (pid: number) =>
  ({ service: 'web', from: 'spawning', to: 'running', pid, reason: null }) as const;

test('property: a change is reported as often as the source that has it more often', () => {
  const changes = fc.array(fc.record({ source: fc.constantFrom('start', 'hold'), pid: fc.nat(3) }));
  fc.assert(
    fc.property(changes, (all) => {
      const reported: number[] = [];
      const report = dedupeChanges(({ pid }: ReturnType<typeof change>) => reported.push(pid));
      for (const { source, pid } of all) report(source, change(pid));
      for (const wanted of [0, 1, 2, 3]) {
        const countOf = (name: string) =>
          all.filter(({ source, pid }) => source === name && pid === wanted).length;
        const times = reported.filter((pid) => pid === wanted).length;
        expect(times).toBe(Math.max(countOf('start'), countOf('hold')));
      }
    }),
  );
});
