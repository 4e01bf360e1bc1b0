import { chmodSync, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import { unwritable } from './atomic-file.ts';
import { isInside } from './inside.ts';
import { otherOwner } from './safe-file.ts';

type FolderSeen =
  | { readonly kind: 'own'; readonly mode: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string; readonly isOthers?: boolean };

/** Tells whether a path is a real folder of ours. Never follows a symbolic link, never throws. */
export function inspectFolder(path: string): FolderSeen {
  try {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) return { kind: 'refused', reason: 'a symbolic link' };
    if (!found.isDirectory()) return { kind: 'refused', reason: 'not a folder' };
    const owner = otherOwner(found.uid);
    return owner
      ? { kind: 'refused', reason: owner, isOthers: true }
      : { kind: 'own', mode: found.mode & 0o777 };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'missing' };
    return { kind: 'refused', reason: `not readable: ${errno}` };
  }
}

/**
 * Makes sure that a folder exists, is ours, and lets no other user write.
 *
 * @param dedicated true when its mode may be set to 0700. An existing folder that somebody named in the
 *   manifest can serve other purposes, too (think of `"pidsDir": "/tmp"`).
 * @param options.hint remedy for a folder that is not ours
 * @param options.within folder that is never made again when it is gone, and none above it: the project's
 * @returns true when it was created now
 * @throws DevctlError 'unsafe', 'records-unwritable'
 */
export function ensureOwnFolder(
  path: string,
  dedicated: boolean,
  { hint = MOVE_AWAY, within = '/' }: { hint?: string; within?: string } = {},
): boolean {
  try {
    const before = inspectFolder(path);
    const isMissing = before.kind === 'missing';
    const created = isMissing && makeFolders(path, within);
    const seen = isMissing ? inspectFolder(path) : before;
    if (seen.kind === 'refused') {
      throw unsafe(path, seen.reason, seen.isOthers && hint === MOVE_AWAY ? AS_OWNER : hint);
    }
    if (seen.kind === 'own' && (seen.mode & 0o077) !== 0) {
      if (dedicated || created) chmodSync(path, 0o700);
      else if ((seen.mode & 0o022) !== 0) throw unsafe(path, 'others may write to it', hint);
    }
    return created;
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Makes a folder (mode 0700) and the missing ones above it. It makes one after the other, because a recursive mkdir would make a
 * project again that was moved away a moment ago, and that of Node never ends below /proc.
 *
 * @param within folder that must be there, where `path` is inside it
 * @returns false when the folder was there, or another devctl made it at the same moment
 * @throws the errno error of mkdir(2)
 */
export function makeFolders(path: string, within = '/'): boolean {
  const top = isInside(within, path) ? within : '/';
  const missing: string[] = [];
  for (let at = path; at !== top && !existsSync(at); at = dirname(at)) missing.unshift(at);
  let isMade = false;
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: 0o700 });
      isMade = true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      isMade = false;
    }
  }
  return isMade;
}

const AS_OWNER = `run devctl as that user; ${DEVCTL} stop --force ends what carries the mark of the project without its records`;
const MOVE_AWAY = 'look at what it is, move it away and try again; devctl makes a new one';

function unsafe(path: string, reason: string, hint: string): DevctlError {
  return new DevctlError('unsafe', `${path} is not safe to use: ${reason}`, { hint });
}
