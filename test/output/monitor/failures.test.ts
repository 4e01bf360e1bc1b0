import { expect, test } from 'vitest';
import type { Observation } from '../../../src/operations/status/observe.ts';
import { freshFailures } from '../../../src/output/monitor/failures.ts';

function seen(states: Record<string, string>, exceeded: readonly string[] = []): Observation {
  const services = Object.entries(states).map(([name, state]) => ({
    name,
    state,
    reason: 'exited with code 3',
    exit: { code: 3, signal: null },
    blockedBy: state === 'failed' && name === 'web' ? ['db'] : [],
  }));
  const limits = exceeded.map((text) => ({ of: 'db', text }));
  return { status: { services }, exceeded: limits } as unknown as Observation;
}

test('only what was not there before is told, and never what was blocked', () => {
  const namesOf = (before: Observation | null, after: Observation) =>
    freshFailures(before, after, 0).map(({ name, service }) => `${name} ${service}`);
  const well = seen({ db: 'ready', web: 'ready' });
  const failed = seen({ db: 'failed', web: 'failed' }, ['uses 120 MB of 100 MB']);
  expect(namesOf(null, failed)).toEqual([]);
  expect(namesOf(well, failed)).toEqual(['failed db', 'limit db']);
  expect(namesOf(failed, seen({ db: 'failed' }, ['uses 121.5 MB of 100 MB']))).toEqual([]);
  expect(namesOf(failed, well)).toEqual([]);
});
