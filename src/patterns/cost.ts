import type { PatternTree } from './syntax.ts';

/** Counts the units of a pattern when its repetitions are written out: `(ab){3}c` has 7. */
export function sizeOf(tree: PatternTree): number {
  switch (tree.kind) {
    case 'unit':
    case 'edge':
      return 1;
    case 'sequence':
      return Math.max(1, sum(tree.parts.map(sizeOf)));
    case 'choice':
      return sum(tree.options.map(sizeOf)) + tree.options.length;
    case 'repeat': {
      const optional = tree.max === Infinity ? 1 : tree.max - tree.min;
      return sizeOf(tree.body) * (tree.min + optional) + optional;
    }
    case 'look':
    case 'foreign':
      return sizeOf(tree.body) + 1;
  }
}

/** Counts the lookarounds of a pattern when its repetitions are written out. */
export function looksOf(tree: PatternTree): number {
  switch (tree.kind) {
    case 'unit':
    case 'edge':
      return 0;
    case 'sequence':
      return sum(tree.parts.map(looksOf));
    case 'choice':
      return sum(tree.options.map(looksOf));
    case 'repeat': {
      const optional = tree.max === Infinity ? 1 : tree.max - tree.min;
      return looksOf(tree.body) * (tree.min + optional);
    }
    case 'look':
      return looksOf(tree.body) + 1;
    case 'foreign':
      return looksOf(tree.body);
  }
}

/**
 * Counts the ways in which a backtracking engine may try a pattern from one position, at most.
 *
 * @param length of the text, in UTF-16 units
 */
export function waysOf(tree: PatternTree, length: number): number {
  switch (tree.kind) {
    case 'unit':
    case 'edge':
      return 1;
    case 'sequence':
      return tree.parts.reduce((ways, part) => ways * waysOf(part, length), 1);
    case 'choice':
      return sum(tree.options.map((option) => waysOf(option, length)));
    case 'repeat': {
      // A repetition that matches nothing is not tried again (ECMA-262, RepeatMatcher), so that no more are useful.
      const most = Math.min(tree.max, Math.max(tree.min, length));
      return (most - tree.min + 1) * waysOf(tree.body, length) ** most;
    }
    case 'look':
    case 'foreign':
      return waysOf(tree.body, length);
  }
}

/** Finds the piece of a pattern that only the engine of JavaScript knows; null when there is none. */
export function foreignPiece(tree: PatternTree): string | null {
  switch (tree.kind) {
    case 'foreign':
      return tree.source;
    case 'sequence':
      return firstForeign(tree.parts);
    case 'choice':
      return firstForeign(tree.options);
    case 'repeat':
    case 'look':
      return foreignPiece(tree.body);
    default:
      return null;
  }
}

function firstForeign(trees: readonly PatternTree[]): string | null {
  for (const tree of trees) {
    const found = foreignPiece(tree);
    if (found !== null) return found;
  }
  return null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
