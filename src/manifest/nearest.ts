/**
 * The candidate that was probably meant by a mistyped word, null when none is near enough.
 * Upper and lower case count as equal, and so does a part of the whole ("TERM", "SIGTERM").
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  const typed = word.slice(0, 100).toLowerCase();
  let best: { readonly candidate: string; readonly distance: number } | null = null;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    const part = typed.length >= 3 && (known.includes(typed) || typed.includes(known));
    const distance =
      part && known.length >= 3 ? Number(known !== typed) : editDistance(typed, known);
    if (distance < (best?.distance ?? 1 + Math.max(1, Math.floor(typed.length / 3))))
      best = { candidate, distance };
  }
  return best === null ? null : best.candidate;
}

/**
 * Damerau-Levenshtein (optimal string alignment): how many characters have to be inserted, removed,
 * replaced or swapped with their neighbour.
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const at = (line: readonly number[], index: number) =>
        line[index] ?? Number.POSITIVE_INFINITY;
      const replaced = at(previous, column - 1) + Number(a[row - 1] !== b[column - 1]);
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? at(beforePrevious, column - 2) + 1
          : Number.POSITIVE_INFINITY;
      const removed = at(previous, column) + 1;
      const inserted = at(current, column - 1) + 1;
      current.push(Math.min(replaced, swapped, removed, inserted));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
