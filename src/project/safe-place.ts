import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

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
      if (!isTrusted(uid)) return `${path} belongs to user ${uid}`;
      if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
        return `others may write to ${path}`;
      }
      if (path === dirname(path)) return null;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Is this owner nobody but ourselves, or root, who may do everything anyway? */
export function isTrusted(uid: number): boolean {
  const self = process.geteuid?.();
  return self === undefined || uid === self || uid === 0 || uid === unmappedUser();
}

let unmapped: number | undefined;

/**
 * In a user namespace that knows only some users, all others look like this one, root of the machine
 * among them (user_namespaces(7)). -1 where every user is known.
 */
function unmappedUser(): number {
  unmapped ??= readUnmapped();
  return unmapped;
}

function readUnmapped(): number {
  try {
    const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
    const knowsAll = inside === '0' && outside === '0' && count === '4294967295';
    return knowsAll ? -1 : Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
  } catch {
    return -1;
  }
}
