import { lstatSync, renameSync, type Stats } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { errnoOf } from '../errors.ts';
import { unwritable } from './atomic-file.ts';
import type { ProjectFolder } from './folder.ts';
import { asideName, type RecordProblem } from './record-problem.ts';
import { MAX_FILE_BYTES, otherOwner } from './safe-file.ts';

/**
 * Renames a bad file to `NAME.corrupt-TIME`, in the same folder. devctl never deletes such a file,
 * because it may be the only trace of a process that still runs. Call it with the project lock held, so
 * that no good file is written between the check and the rename.
 *
 * @returns the new path; null when the file is gone already
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
 * Tells whether a file is to be set aside: it is corrupt, or it is no file of ours at all. A file that
 * is not ours would be replaced by the next record, or block it for ever. A file that cannot be read
 * just now (EMFILE, EACCES) stays.
 */
export function mustSetAside(folder: ProjectFolder, { kind, path }: RecordProblem): boolean {
  if (kind === 'corrupt') return true;
  if (kind !== 'refused' || !isFileOfRecords(folder, path)) return false;
  const found = statOf(path);
  if (!found) return false;
  // A ledger that is too large stays, because its end is read.
  const tooLarge = found.size > MAX_FILE_BYTES && basename(dirname(path)) !== 'ledger';
  return !found.isFile() || otherOwner(found.uid) !== null || tooLarge;
}

/** @returns undefined for a file that is missing, or that cannot be looked at because its folder is another user's */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return undefined;
    throw error;
  }
}

/** True for a path inside the records folder, except the folders of the layout. */
function isFileOfRecords({ pidsDir }: ProjectFolder, path: string): boolean {
  const inside = relative(pidsDir, path);
  return inside !== '' && !inside.startsWith('..') && !LAYOUT.has(inside);
}

const LAYOUT = new Set(['services', 'ledger', 'logs', 'log-notes', 'history']);
