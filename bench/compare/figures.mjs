// Keeps what was measured, and takes medians.

/** Values by name. A value of null says that the tool has no such thing. */
export function openFigures() {
  const values = new Map();
  return {
    record(name, value) {
      if (value === null) return;
      values.set(name, [...(values.get(name) ?? []), value]);
    },
    /** null where nothing was measured. */
    median: (name) => median(values.get(name) ?? []),
    all: (name) => values.get(name) ?? [],
  };
}

function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
