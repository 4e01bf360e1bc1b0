/** Those of a list that a pane of so many lines shows, with the one at `at` among them. */
export function visibleRows<One>(all: readonly One[], at: number, height: number): One[] {
  if (height <= 0) return [];
  const last = Math.max(0, all.length - height);
  // In the middle as far as there is something on both sides: one sees what comes next.
  const first = Math.min(last, Math.max(0, at - Math.floor(height / 2)));
  return all.slice(first, first + height);
}
