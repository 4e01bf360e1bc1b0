/**
 * Picks the candidate that a mistyped word probably meant; null when no candidate is near. Upper and lower
 * case count as equal, and a part of a word ("TERM", "SIGTERM") is near the whole word.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  const typed = word.slice(0, 100).toLowerCase();
  let best: string | null = null;
  let bestDistance = 1 + Math.max(1, Math.floor(typed.length / 3));
  for (const candidate of candidates) {
    const distance = distanceBelow(typed, candidate.toLowerCase(), bestDistance);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

function distanceBelow(typed: string, known: string, limit: number): number {
  const shorter = Math.min(typed.length, known.length);
  if (shorter >= 3 && (known.includes(typed) || typed.includes(known)))
    return typed === known ? 0 : 1;
  return Math.abs(typed.length - known.length) < limit ? editDistance(typed, known) : limit;
}

/**
 * Counts the edits between two words by Damerau-Levenshtein (optimal string alignment): characters to
 * insert, remove, replace, or swap with their neighbour.
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + Number(a[row - 1] !== b[column - 1]);
      const removed = (previous[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      const swap = row > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const swapped = swap ? (beforePrevious[column - 2] ?? 0) + 1 : replaced;
      current.push(Math.min(replaced, removed, inserted, swapped));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
