import { readFileSync } from 'node:fs';

/** Tells whether this owner of a file is ourselves, or root, who may do everything anyway. */
export function isTrustedUser(uid: number): boolean {
  const self = process.geteuid?.();
  return self === undefined || uid === self || uid === 0 || uid === unmappedUser();
}

let unmapped: number | undefined;

/**
 * Finds the number that stands for all unknown users, root of the machine among them, in a user namespace that
 * knows only some users (user_namespaces(7)). -1 where every user is known.
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
