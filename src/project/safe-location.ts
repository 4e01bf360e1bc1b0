import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isTrustedUser } from '../processes/trusted-user.ts';

/** S_ISVTX: only the owner of a file in such a folder may rename or remove it (inode(7)). */
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/**
 * Says why another user could replace what devctl makes in this folder; null when nobody could. Another
 * user can do so who owns the folder or one above it, or who may write to one of them that is not
 * sticky (as /tmp is). No check of the file itself helps, because there is always time between the
 * check and the use.
 *
 * @returns the reason, for people
 */
export function whyUnsafePlace(folder: string): string | null {
  try {
    for (let path = realpathSync(folder); ; path = dirname(path)) {
      const { uid, mode } = statSync(path);
      if (!isTrustedUser(uid)) return `${path} belongs to user ${uid}`;
      if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
        return `others may write to ${path}`;
      }
      if (path === dirname(path)) return null;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
