import type { PatternTree } from './syntax.ts';

/** Finds the longest text that each match of a pattern without flags contains; empty when there is none. */
export function requiredText(tree: PatternTree): string {
  switch (tree.kind) {
    case 'unit':
      return /^(?:[^.[\\]|\\\W)$/.test(tree.source) ? tree.source.slice(-1) : '';
    case 'sequence':
      return longestIn(tree.parts);
    case 'repeat':
      return tree.min > 0 ? requiredText(tree.body) : '';
    default:
      return '';
  }
}

function longestIn(parts: readonly PatternTree[]): string {
  let longest = '';
  let running = '';
  for (const part of parts) {
    const text = requiredText(part);
    running = part.kind === 'unit' && text !== '' ? running + text : '';
    for (const found of [text, running]) if (found.length > longest.length) longest = found;
  }
  return longest;
}
