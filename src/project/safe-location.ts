import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isTrustedUser } from '../processes/trusted-user.ts';

/** S_ISVTX: what is in such a folder, only its owner may rename or remove (inode(7)). */
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/**
 * Could another user put something else in the place of what we make in this folder? He could if he
 * owned it or a folder above it, or might write to one that is not sticky (as /tmp is). Between our look
 * at a name and its use there would be time to do so, however closely we look.
 *
 * @returns why it is not safe, for people; null when it is
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
