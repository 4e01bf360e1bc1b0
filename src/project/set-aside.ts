import { lstatSync, renameSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unwritable } from './atomic-file.ts';
import type { ProjectFolder } from './folder.ts';
import { asideName, type RecordProblem } from './record-problem.ts';
import { MAX_FILE_BYTES, otherOwner } from './safe-file.ts';

/**
 * Renames the bad file to `*.corrupt-TIME`, beside where it was. Nothing is ever deleted: it may be
 * the only trace of something that still runs. Call it with the project lock held, so that no good
 * file is written between the look and the rename.
 *
 * @returns where it is now; null when it is gone already
 * @throws Error for a path that is not inside the records folder
 * @throws DevctlError 'records-unwritable'
 */
export function setAside(
  folder: ProjectFolder,
  problem: Pick<RecordProblem, 'path'>,
): string | null {
  if (!isFileOfRecords(folder, problem.path)) {
    throw new Error(`not a file of the records: ${problem.path}`);
  }
  const target = asideName(problem.path);
  try {
    renameSync(problem.path, target);
    return target;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw unwritable(target, error);
  }
}

/**
 * Is it to be set aside: does it say what cannot be, or is it no file of ours at all? The latter would
 * be replaced by the next record, or be in its way for ever. What only cannot be read just now (EMFILE,
 * EACCES) stays.
 */
export function belongsAside(folder: ProjectFolder, { kind, path }: RecordProblem): boolean {
  if (kind === 'corrupt') return true;
  if (kind !== 'refused' || !isFileOfRecords(folder, path)) return false;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return false;
  // Of a ledger that is too large, the end is read.
  const tooLarge = found.size > MAX_FILE_BYTES && basename(dirname(path)) !== 'ledger';
  return !found.isFile() || otherOwner(found.uid) !== null || tooLarge;
}

/** Not outside of the records folder, nor that folder itself, nor one of those in it. */
function isFileOfRecords({ pidsDir }: ProjectFolder, path: string): boolean {
  const inside = relative(pidsDir, path);
  return inside !== '' && !inside.startsWith('..') && !LAYOUT.has(inside);
}

const LAYOUT = new Set(['services', 'ledger', 'logs', 'log-notes', 'history']);
