import { lstatSync } from 'node:fs';

/** Keeps the results of reads for as long as the files do not change. */
export interface KeptReads<Result> {
  /**
   * Returns what the last read of a file has made, if the file is still the same one, unwritten; else reads it. The result must
   * depend on the file alone, and nobody may change it.
   *
   * @param isGood false for a result that something else than the file has decided, such as a lack of descriptors
   */
  read(path: string, read: () => Result, isGood: (result: Result) => boolean): Result;
}

interface Kept {
  readonly version: string;
  readonly result: unknown;
}

const all: Map<string, Kept>[] = [];

/** Time after which all is read again, in ms: a monitor runs for hours, and a ledger may have megabytes. */
const KEPT_MS = 10_000;
let forgetting: NodeJS.Timeout | null = null;

/**
 * Age of a file's last change from which a read of it is kept, in ms. A second change within one tick of the kernel's clock
 * would show the same times (inode(7)), so nothing is kept of a file that has just been changed.
 */
const SETTLED_MS = 2_000;

/**
 * Begins to keep reads. One command reads each record six times, and beside 250 services to read one takes ten times as
 * long as to ask the kernel whether it has changed.
 */
export function keepReads<Result>(settledMs = SETTLED_MS): KeptReads<Result> {
  const kept = new Map<string, Kept>();
  all.push(kept);
  return {
    read(path, read, isGood) {
      const version = versionOf(path, settledMs);
      const known = kept.get(path);
      if (version !== null && known?.version === version) return known.result as Result;
      const result = read();
      if (version === null || !isGood(result)) kept.delete(path);
      else {
        kept.set(path, { version, result });
        forgetting ??= setTimeout(forgetReads, KEPT_MS).unref();
      }
      return result;
    },
  };
}

/** Gives the memory back that kept reads take. */
export function forgetReads(): void {
  if (forgetting) clearTimeout(forgetting);
  forgetting = null;
  for (const kept of all) kept.clear();
}

/** Names what a file holds; null for one that is missing or may change again without showing it. */
function versionOf(path: string, settledMs: number): string | null {
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (!found || Date.now() - Number(found.ctimeMs) < settledMs) return null;
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return null;
  }
}
