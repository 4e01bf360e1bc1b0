import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { DevctlError, errnoOf } from '../errors.ts';
import { unwritable } from './atomic-file.ts';
import { otherOwner } from './safe-file.ts';

type FolderSeen =
  | { readonly kind: 'own'; readonly mode: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string; readonly isOthers?: boolean };

/** Is it a real folder of ours? Never follows a symbolic link, never throws. */
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
 * Makes sure that the folder is there, is ours, and lets no one else write.
 *
 * @param dedicated may its mode be set to 0700? A folder that was there before and that someone
 *   named in the manifest can serve other purposes too (think of `"pidsDir": "/tmp"`).
 * @param hint what to do when it is not ours
 * @returns was it created now?
 * @throws DevctlError 'unsafe', 'records-unwritable'
 */
export function ensureOwnFolder(path: string, dedicated: boolean, hint = MOVE_AWAY): boolean {
  try {
    // Undefined when another devctl made it at the same moment: then it is judged like any other.
    const created =
      inspectFolder(path).kind === 'missing' &&
      mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
    const seen = inspectFolder(path);
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

const AS_OWNER =
  'run devctl as that user; devctl stop --force ends what carries the mark of the project without its records';
const MOVE_AWAY = 'look at what it is, move it away and try again; devctl makes a new one';

function unsafe(path: string, reason: string, hint: string): DevctlError {
  return new DevctlError('unsafe', `${path} is not safe to use: ${reason}`, { hint });
}
