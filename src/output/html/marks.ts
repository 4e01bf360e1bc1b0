/** How wide a mark is, as a share of the width. */
const MARK_SHARE = 0.005;

/** Of marks that would hide each other, the first. */
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
