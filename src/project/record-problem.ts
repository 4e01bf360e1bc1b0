import { lstatSync, renameSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { errnoOf } from '../errors.ts';
import { isoTime } from '../processes/clock.ts';
import { unwritable } from './atomic-file.ts';
import type { ProjectFolder } from './folder.ts';
import { MAX_FILE_BYTES, otherOwner, refusalOf } from './safe-file.ts';

/**
 * Something in the records folder that was not obeyed. Readers return these instead of throwing:
 * one bad file must not hide the services of the good ones.
 */
export interface RecordProblem {
  /** Absolute path of the file. */
  readonly path: string;
  /** The service that the file name speaks of, null where it names none. */
  readonly service: string | null;
  /**
   * - corrupt: does not parse or says what cannot be; set it aside.
   * - newer: written by a later devctl; leave it.
   * - foreign: belongs to another project folder that still exists (a copied `.pids`).
   * - refused: a symbolic link, not a file, another user's or too large, all to be set aside too; or
   *   not readable.
   * - future: its time lies ahead, so that nothing can be told from its age.
   * - partial: some lines were ignored, all others were used.
   */
  readonly kind: 'corrupt' | 'newer' | 'foreign' | 'refused' | 'future' | 'partial';
  /** For people, without the path: `field "leader" is missing or malformed`. */
  readonly reason: string;
}

/** Is something at the path of a file of ours that none of our files is? For those that nobody has to read. */
export function refusedFile(path: string): readonly RecordProblem[] {
  const reason = refusalOf(path);
  return reason === null ? [] : [{ path, service: null, kind: 'refused', reason }];
}

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

/** Was this file set aside earlier? */
export function isSetAside(path: string): boolean {
  return /\.corrupt-\d{8}T\d{9}Z(-\d+)?$/.test(path);
}

/** A free name beside `path` for what is not obeyed: `NAME.corrupt-TIME`. */
export function asideName(path: string): string {
  // ISO 8601 in its basic form, which holds no colon: Finder and Windows forbid it in names.
  const wanted = `${path}.corrupt-${isoTime().replaceAll(/[-:.]/g, '')}`;
  let name = wanted;
  // rename(2) replaces what is there, and two files can be set aside within one millisecond.
  for (let count = 1; lstatSync(name, { throwIfNoEntry: false }); count += 1) {
    name = `${wanted}-${count}`;
  }
  return name;
}

/** Not outside of the records folder, nor that folder itself, nor one of those in it. */
function isFileOfRecords({ pidsDir }: ProjectFolder, path: string): boolean {
  const inside = relative(pidsDir, path);
  return inside !== '' && !inside.startsWith('..') && !LAYOUT.has(inside);
}

const LAYOUT = new Set(['services', 'ledger', 'logs', 'log-notes', 'history']);
