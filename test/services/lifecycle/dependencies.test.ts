import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DependencyCondition } from '../../../src/manifest/resolved.ts';
import { nextToStart, type Standing } from '../../../src/services/lifecycle/dependencies.ts';
import type { StateKind } from '../../../src/services/lifecycle/states.ts';

const graph = (needs: Record<string, Record<string, DependencyCondition>>) =>
  new Map(Object.entries(needs));
const states = (kinds: Record<string, Standing>) => new Map(Object.entries(kinds));

describe.each<[DependencyCondition, Record<Standing, string>]>([
  [
    'started',
    {
      idle: 'is not being started',
      waiting: 'wait',
      spawning: 'wait',
      cancelling: 'is being stopped',
      starting: 'go',
      running: 'go',
      ready: 'go',
      unhealthy: 'go',
      exited: 'go',
      failed: 'failed',
      crashed: 'failed',
      clearing: 'wait',
      backoff: 'wait',
      looping: 'ends again and again',
      recovering: 'go',
      stopping: 'is being stopped',
    },
  ],
  [
    'ready',
    {
      idle: 'is not being started',
      waiting: 'wait',
      spawning: 'wait',
      cancelling: 'is being stopped',
      starting: 'wait',
      running: 'go',
      ready: 'go',
      unhealthy: 'is unhealthy',
      exited: 'has ended already',
      failed: 'failed',
      crashed: 'failed',
      clearing: 'wait',
      backoff: 'wait',
      looping: 'ends again and again',
      recovering: 'wait',
      stopping: 'is being stopped',
    },
  ],
  [
    'completed',
    {
      idle: 'is not being started',
      waiting: 'wait',
      spawning: 'wait',
      cancelling: 'is being stopped',
      starting: 'wait',
      running: 'wait',
      ready: 'wait',
      unhealthy: 'wait',
      exited: 'go',
      failed: 'failed',
      crashed: 'failed',
      clearing: 'wait',
      backoff: 'wait',
      looping: 'ends again and again',
      recovering: 'wait',
      stopping: 'is being stopped',
    },
  ],
  [
    'exited',
    {
      idle: 'is not being started',
      waiting: 'wait',
      spawning: 'wait',
      cancelling: 'is being stopped',
      starting: 'wait',
      running: 'wait',
      ready: 'wait',
      unhealthy: 'wait',
      exited: 'go',
      // It was never spawned, so it has not ended either.
      failed: 'failed',
      crashed: 'go',
      clearing: 'wait',
      backoff: 'wait',
      looping: 'ends again and again',
      recovering: 'wait',
      stopping: 'is being stopped',
    },
  ],
])('api needs db to be %s', (condition, expected) => {
  test.each(Object.entries(expected))('db is %s: %s', (kind, outcome) => {
    // db needs a service that never comes up, so that it is not startable itself.
    const needs = graph({ api: { db: condition }, db: { disk: 'ready' } });
    const now = states({ api: 'waiting', db: kind as Standing, disk: 'starting' });
    const { startable, blocked } = nextToStart(now, needs);
    expect(startable).toEqual(outcome === 'go' ? ['api'] : []);
    expect(blocked).toEqual(
      ['go', 'wait'].includes(outcome) ? [] : [{ name: 'api', chain: ['db'], why: outcome }],
    );
  });
});

test('all services that can start now start side by side', () => {
  const needs = graph({ web: { api: 'ready' }, api: {}, worker: {}, docs: {} });
  const now = states({ web: 'waiting', api: 'waiting', worker: 'waiting', docs: 'ready' });
  expect(nextToStart(now, needs)).toEqual({ startable: ['api', 'worker'], blocked: [] });
});

test('every service above a failed one is blocked, with the chain that leads there', () => {
  const needs = graph({ web: { api: 'started' }, api: { db: 'ready' }, db: {}, docs: {} });
  const now = states({ web: 'waiting', api: 'waiting', db: 'failed', docs: 'waiting' });
  expect(nextToStart(now, needs)).toEqual({
    startable: ['docs'],
    blocked: [
      { name: 'api', chain: ['db'], why: 'failed' },
      { name: 'web', chain: ['api', 'db'], why: 'failed' },
    ],
  });
});

test('a long chain is named by both ends', () => {
  const size = 10_000;
  const needs = graph(
    Object.fromEntries(
      Array.from({ length: size }, (_, i) => [`s${i}`, i > 0 ? { [`s${i - 1}`]: 'ready' } : {}]),
    ),
  );
  const now = new Map<string, StateKind>([...needs.keys()].map((name) => [name, 'waiting']));
  expect(nextToStart(now, needs).startable).toEqual(['s0']);
  now.set('s0', 'failed');
  const { blocked } = nextToStart(now, needs);
  expect(blocked).toHaveLength(size - 1);
  expect(blocked.at(-1)?.chain).toEqual(['s9998', 's9997', 's9996', 's9995', '…', 's0']);
});

test('whichever services fail, every start comes to an end', () => {
  const shape = fc.array(
    fc.record({
      needs: fc.array(fc.tuple(fc.nat(20), fc.constantFrom('started' as const, 'ready' as const))),
      ends: fc.constantFrom<StateKind>(
        'ready',
        'ready',
        'running',
        'unhealthy',
        'failed',
        'exited',
      ),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(shape, (services) => {
      const needs = new Map(
        services.map((service, index) => [
          `s${index}`,
          // A service needs only earlier ones, because a manifest with a circle is refused.
          Object.fromEntries(
            service.needs.flatMap(([to, how]) => (to < index ? [[`s${to}`, how]] : [])),
          ),
        ]),
      );
      const now = new Map<string, StateKind>([...needs.keys()].map((name) => [name, 'waiting']));
      for (let round = 0; [...now.values()].includes('waiting'); round += 1) {
        expect(round).toBeLessThanOrEqual(services.length);
        const { startable, blocked } = nextToStart(now, needs);
        for (const { name } of blocked) now.set(name, 'failed');
        for (const name of startable) {
          now.set(name, services[Number(name.slice(1))]?.ends ?? 'ready');
        }
      }
    }),
    { numRuns: 500 },
  );
});
