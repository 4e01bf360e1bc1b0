import { describe, expect, test } from 'vitest';
import type { Breach } from '../../src/limits/breach.ts';
import { buildReport } from '../../src/report/build.ts';
import { changesOf, facts, sample } from '../report/facts.ts';
import { runaway } from '../support/runaway.ts';

const { lastStop } = runaway(500_000);

function breach(some: Partial<Breach>): Breach {
  const base = {
    service: 'web',
    limit: 'processes',
    action: 'warn',
    branch: null,
    measuredAs: null,
  } as const;
  return { ...base, value: 12, allowed: 10, atMs: 50, ...some };
}

describe('what grew', () => {
  const samples = [10, 20, 30, 40, 60].map((atMs) =>
    sample(atMs, { web: atMs === 60 ? 40 : 3, api: 2 }),
  );

  test('a breach that stopped a service counts before a greater one that only warned', () => {
    const branch = {
      pid: 7,
      command: 'node storm.js',
      processes: 9,
      memoryBytes: 5,
      service: 'web',
    };
    const breaches = [
      breach({ service: 'api', value: 1000 }),
      breach({ action: 'stop', branch, atMs: 55 }),
      breach({ atMs: 45 }),
    ].toSorted((a, b) => a.atMs - b.atMs);
    const { verdict, services } = buildReport(facts({ samples, breaches }));
    expect(verdict.grew).toEqual({
      service: 'web',
      measure: 'processes',
      from: 3,
      to: 40,
      limit: 10,
      atMs: 45,
      because: branch,
    });
    expect(services.map(({ name }) => name)).toEqual(['web', 'api']);
  });

  test('without a limit, a service far beyond its baseline, with its most frequent command', () => {
    const { grew } = buildReport(facts({ samples, lastStop, stoppedMs: 500_000 })).verdict;
    expect(grew).toMatchObject({ service: 'web', from: 3, to: 40, limit: null, atMs: 60 });
    expect(grew?.because).toMatchObject({
      pid: null,
      command: expect.stringMatching(/forks/),
      processes: 96,
    });
  });

  test.each([
    ['the number of processes is as usual', [20, 20, 20, 20]],
    ['the service is starting', [1, 6, 9, 9, 9, 9]],
    ['nothing ran', []],
  ])('nothing: %s', (_name, counts) => {
    const some = counts.map((count, index) => sample(index, { web: count }));
    expect(buildReport(facts({ samples: some })).verdict.grew).toBe(null);
  });

  test('the project: the highest sum of all services', () => {
    const { grew } = buildReport(facts({ samples, breaches: [breach({ service: null })] })).verdict;
    expect(grew).toMatchObject({ service: null, from: 5, to: 42, because: null });
  });

  test('the branch of the project that grew names the service to look at', () => {
    const branch = { pid: 7, command: 'x', processes: 9, memoryBytes: 5, service: 'api' };
    const { verdict, services } = buildReport(
      facts({ samples, breaches: [breach({ service: null, branch })] }),
    );
    expect(verdict).toMatchObject({ culprit: 'api', grew: { service: null } });
    expect(services[0]?.name).toBe('api');
  });

  test('a limit on PSS is not compared with samples', () => {
    const breaches = [breach({ limit: 'memory', measuredAs: 'pss', value: 99 })];
    const { grew } = buildReport(facts({ samples, breaches })).verdict;
    expect(grew).toMatchObject({ from: null, to: 99 });
  });
});

describe('the contents of the report', () => {
  const began = (atMs: number) => ({ atMs, what: 'began' as const });
  const ended = (atMs: number) => ({ atMs, what: 'ended' as const });
  const samples = [sample(10, { web: 1 }), sample(1010, { web: 2 })];
  const breaches = [breach({ atMs: 12 })];

  test.each([
    [
      'the last session',
      { supervisor: [began(5), ended(20), began(1000), ended(1020)] },
      1000,
      1020,
      1,
    ],
    ['a killed supervisor ends no session', { supervisor: [began(5), began(1000)] }, 5, 1010, null],
    [
      'everything since a time',
      { supervisor: [began(5), ended(20), began(1000)], sinceMs: 7 },
      7,
      1010,
      0,
    ],
    ['until now, while a supervisor lives', { isWatched: true }, 10, 1_000_000, null],
  ])('%s', (_name, some, fromMs, untilMs, before) => {
    const { period, earlier } = buildReport(facts({ samples, breaches, ...some }));
    expect(period).toEqual({ fromMs, untilMs });
    expect(earlier?.breaches ?? null).toBe(before);
  });

  test('nothing, without a history, or without one since that time', () => {
    expect(buildReport(facts())).toMatchObject({ period: null, services: [], lastStart: null });
    expect(buildReport(facts({ samples, sinceMs: 5000 }))).toMatchObject({
      period: null,
      earlier: { fromMs: 10 },
    });
  });

  test('the end of a lease, as the reason of a stop', () => {
    const leases = [{ atMs: 600, what: 'its time of 2h was over' }];
    const { moments } = buildReport(facts({ leases, supervisor: [began(5), ended(700)] }));
    expect(moments.map(({ what }) => what)).toEqual([
      'the supervisor began',
      'its time of 2h was over',
      'the supervisor ended',
    ]);
  });

  test('a stop that no supervisor saw ends the services too', () => {
    const changes = changesOf('web', [400_000, 'ready']);
    const { services } = buildReport(facts({ changes, lastStop, stoppedMs: 500_000 }));
    expect(services[0]?.state).toBe('idle');
  });
});

describe('is anything left', () => {
  const stopped = { lastStop, stoppedMs: 500_000, samples: [sample(499_000, { web: 1 })] };

  test.each([
    ['the stop has proved it', {}, true],
    ['a sample is younger than the stop', { samples: [sample(700_000, { web: 1 })] }, false],
    ['only a part was stopped', { lastStop: { ...lastStop, scope: ['web'] } }, false],
    ['there was no stop', { lastStop: null, stoppedMs: null }, false],
    ['something is alive', { left: { services: [], orphans: [], unattributed: 1 } }, false],
  ])('%s', (_name, some, proved) => {
    expect(buildReport(facts({ ...stopped, ...some })).verdict.left?.proved).toBe(proved);
  });

  test('without a process table, nothing is claimed', () => {
    expect(buildReport(facts({ ...stopped, left: null })).verdict.left).toBe(null);
  });
});
