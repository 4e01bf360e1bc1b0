/** Picks the items of a list that fit into a pane, with the item at `at` among them. */
export function visibleRows<One>(all: readonly One[], at: number, height: number): One[] {
  if (height <= 0) return [];
  const last = Math.max(0, all.length - height);
  // The item is in the middle where it can be, so that the user sees what comes next.
  const first = Math.min(last, Math.max(0, at - Math.floor(height / 2)));
  return all.slice(first, first + height);
}
