import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stopWaves, stronglyConnectedComponents } from '../../src/manifest/dependency-order.ts';

const graph = (needs: Record<string, readonly string[]>) => new Map(Object.entries(needs));

const shop = graph({ web: ['api'], api: ['db', 'cache'], worker: ['db'], db: [], cache: [] });

test.each([
  [
    'dependents first',
    ['web', 'api', 'worker', 'db', 'cache'],
    shop,
    'web worker | api | cache db',
  ],
  ['only what is named', ['db', 'worker'], shop, 'worker | db'],
  ['the path may lead over other names', ['db', 'web'], shop, 'web | db'],
  ['a name that is not asked for delays no other name', ['db', 'cache', 'x'], shop, 'cache db x'],
  ['dependencies without an entry', ['a', 'b'], graph({ a: ['gone', 'b'], b: ['gone'] }), 'a | b'],
  ['names without an entry', ['b', 'a'], graph({}), 'a b'],
  ['nothing', [], shop, ''],
  ['a cycle is stopped together', ['a', 'b', 'c'], graph({ a: ['b'], b: ['a'] }), 'a b c'],
  [
    'dependents of a cycle come before it, its dependencies after it',
    ['top', 'a', 'b', 'base'],
    graph({ top: ['a'], a: ['b'], b: ['a', 'base'], base: [] }),
    'top | a b | base',
  ],
  ['itself', ['a'], graph({ a: ['a'] }), 'a'],
])('stop waves: %s', (_name, names, needs, expected) => {
  const shown = stopWaves(names, needs).map((wave) => wave.join(' '));
  expect(shown.join(' | ')).toBe(expected);
});

const anyGraph = fc.array(fc.tuple(fc.nat(14), fc.nat(14)), { maxLength: 40 }).map((edges) => {
  const needs = new Map<string, string[]>();
  for (const [from, to] of edges) {
    needs.set(`s${from}`, [...(needs.get(`s${from}`) ?? []), `s${to}`]);
  }
  return needs;
});

test('in any graph, with cycles too, each name is stopped once, and never before a dependent', () => {
  fc.assert(
    fc.property(anyGraph, fc.uniqueArray(fc.nat(16).map((n) => `s${n}`)), (needs, names) => {
      const waves = stopWaves(names, needs);
      expect(waves.flat().sort()).toEqual([...names].sort());
      expect(stopWaves(names.toReversed(), needs)).toEqual(waves);
      const wave = new Map(waves.flatMap((wave, at) => wave.map((name) => [name, at] as const)));
      for (const from of names) {
        const below = reachable(from, needs);
        for (const to of names) {
          if (!below.has(to) || from === to) continue;
          const circle = reachable(to, needs).has(from);
          const [first = 0, second = 0] = [wave.get(from), wave.get(to)];
          if (circle) expect(first).toBe(second);
          else expect(first).toBeLessThan(second);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

function reachable(from: string, needs: ReadonlyMap<string, readonly string[]>): Set<string> {
  const seen = new Set<string>();
  const open = [...(needs.get(from) ?? [])];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(needs.get(name) ?? []));
  }
  return seen;
}

test('the cost grows with the graph, not with its square, and a deep chain does not overflow', () => {
  // Counts how often the needs of a service are read, because a time would depend on the machine.
  const looks = (size: number): number => {
    let count = 0;
    const chain = new Map<string, readonly string[]>();
    const get = chain.get.bind(chain);
    chain.get = (name) => {
      count += 1;
      return get(name);
    };
    for (let i = 0; i < size; i += 1) chain.set(`s${i}`, i > 0 ? [`s${i - 1}`] : []);
    expect(stopWaves(chain.keys(), chain)).toHaveLength(size);
    return count;
  };
  expect(looks(10_000)).toBeLessThanOrEqual(10 * looks(1_000));
});

test('a component comes after everything it depends on', () => {
  expect(
    stronglyConnectedComponents(['top'], graph({ top: ['b'], a: ['b'], b: ['a', 'base'] })),
  ).toEqual([['base'], ['a', 'b'], ['top']]);
});
