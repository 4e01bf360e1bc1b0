/** Width of a mark, as a share of the whole width. */
const MARK_SHARE = 0.005;

/** Keeps the first of marks that would hide each other. */
export function withoutOverlap<Item extends { readonly atMs: number }>(
  items: readonly Item[],
  lengthMs: number,
): readonly Item[] {
  let last = Number.NEGATIVE_INFINITY;
  return items.filter(({ atMs }) => {
    if (atMs - last < lengthMs * MARK_SHARE) return false;
    last = atMs;
    return true;
  });
}
