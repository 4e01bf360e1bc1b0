import { expect, test } from 'vitest';
import { lastStartOf } from '../../src/report/last-start.ts';
import { changesOf } from '../report/facts.ts';

const db = changesOf('db', [0, 'waiting'], [1, 'spawning'], [2, 'starting'], [500, 'ready']);
const web = changesOf('web', [0, 'waiting'], [501, 'spawning'], [502, 'starting'], [900, 'ready']);
const needs = new Map([['web', ['db', 'elsewhere']]]);
const inOrder = <Item extends { atMs: number }>(items: readonly Item[]) =>
  items.toSorted((a, b) => a.atMs - b.atMs);

test('each service has its waiting, spawning and starting, and its dependencies within the start', () => {
  const start = lastStartOf(inOrder([...db, ...web]), needs);
  expect(start).toMatchObject({ fromMs: 0, untilMs: 900 });
  expect(start?.rows).toMatchObject([
    { name: 'db', dependsOn: [], outcome: 'ready', readyMs: 500 },
    { name: 'web', dependsOn: ['db'], outcome: 'ready', readyMs: 900 },
  ]);
  expect(
    start?.rows[1]?.spans.map(({ state, fromMs, untilMs }) => [state, fromMs, untilMs]),
  ).toEqual([
    ['waiting', 0, 501],
    ['spawning', 501, 502],
    ['starting', 502, 900],
  ]);
});

test('a later start replaces an earlier one, a restart by policy does not, and later changes are no part of it', () => {
  const restarted = [
    ...db,
    ...changesOf(
      'db',
      [60_000, 'clearing'],
      [60_001, 'backoff'],
      [61_000, 'spawning'],
      [61_001, 'ready'],
    ),
  ];
  expect(lastStartOf(inOrder([...restarted, ...web]), needs)).toMatchObject({
    fromMs: 0,
    untilMs: 900,
  });
  const later = changesOf(
    'api',
    [90_000, 'waiting'],
    [90_001, 'spawning'],
    [90_002, 'failed', 'no such file'],
  );
  const start = lastStartOf(inOrder([...db, ...web, ...later]), needs);
  expect(start).toMatchObject({ fromMs: 90_000, untilMs: 90_002 });
  expect(start?.rows).toMatchObject([
    { name: 'api', outcome: 'failed', readyMs: null, reason: 'no such file' },
  ]);
});

test('a service that fails at first and is tried again has one row until it is up', () => {
  const changes = changesOf(
    'db',
    [0, 'waiting'],
    [1, 'spawning'],
    [2, 'starting'],
    [50, 'clearing'],
    [60, 'backoff'],
    [100, 'spawning'],
    [101, 'starting'],
    [300, 'ready'],
  );
  expect(lastStartOf(changes, needs)?.rows).toMatchObject([{ readyMs: 300 }]);
});

test('without a start there is no last start', () => {
  expect(lastStartOf([], needs)).toBe(null);
  expect(lastStartOf(changesOf('db', [5, 'ready']), needs)).toBe(null);
});
