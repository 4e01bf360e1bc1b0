import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { DevctlError, errnoOf } from '../errors.ts';
import { unwritable } from './atomic-file.ts';
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
 * @param hint remedy for a folder that is not ours
 * @returns true when it was created now
 * @throws DevctlError 'unsafe', 'records-unwritable'
 */
export function ensureOwnFolder(path: string, dedicated: boolean, hint = MOVE_AWAY): boolean {
  try {
    // mkdir returns undefined when another devctl made the folder at the same moment. Then it is
    // checked like any other.
    const before = inspectFolder(path);
    const isMissing = before.kind === 'missing';
    const created = isMissing && mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
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
    throw unwritable(path, causeOf(path, error));
  }
}

/**
 * Finds the cause of a failed mkdir. Node's recursive one says ENOENT on a file system that is mounted read-only, where
 * mkdir(2) says EROFS.
 */
function causeOf(path: string, error: unknown): unknown {
  if (errnoOf(error) !== 'ENOENT') return error;
  try {
    mkdirSync(path, { mode: 0o700 });
    return error;
  } catch (cause) {
    return cause;
  }
}

const AS_OWNER =
  'run devctl as that user; devctl stop --force ends what carries the mark of the project without its records';
const MOVE_AWAY = 'look at what it is, move it away and try again; devctl makes a new one';

function unsafe(path: string, reason: string, hint: string): DevctlError {
  return new DevctlError('unsafe', `${path} is not safe to use: ${reason}`, { hint });
}
