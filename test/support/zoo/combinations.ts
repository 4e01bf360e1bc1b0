import fc from 'fast-check';
import type { Behaviour } from './behaviours.ts';
import type { Exhibit } from './service.ts';

const MOST = 4;

/** Names of behaviours, the outermost first. */
export type Combination = readonly string[];

/**
 * One to four behaviours nested: each becomes the next at its deepest point, so that a daemon forks again, clears
 * its environment, moves to a namespace and then ignores TERM.
 */
export function anyCombination(all: readonly Behaviour[]): fc.Arbitrary<Combination> {
  // Five seconds of waiting and three dozen processes each are for the zoo alone.
  const calm = all.filter(({ name, storm }) => !storm && !/^(late-escape|forty|chain)/.test(name));
  const outer = calm.filter(({ nests }) => nests).map(({ name }) => name);
  const last = calm.filter(({ port }) => !port).map(({ name }) => name);
  return fc
    .tuple(fc.array(fc.constantFrom(...outer), { maxLength: MOST - 1 }), fc.constantFrom(...last))
    .map(([before, end]) => [...before, end]);
}

/** Makes combinations, the same for the same seed. */
export function someCombinations(
  all: readonly Behaviour[],
  count: number,
  seed: number,
): Combination[] {
  if (count === 0) return [];
  return fc.sample(anyCombination(all), { numRuns: count, seed });
}

/** Makes a service for each combination, in the same order. */
export function nested(
  combinations: readonly Combination[],
  all: readonly Behaviour[],
): readonly Exhibit[] {
  return combinations.map((names, index) => ({
    name: `nested-${index + 1}`,
    behaviours: names.flatMap((name) => all.find((one) => one.name === name) ?? []),
  }));
}
