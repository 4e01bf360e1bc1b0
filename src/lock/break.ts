import { linkSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Identity } from '../processes/identity.ts';
import { temporaryPath } from '../project/atomic-file.ts';
import {
  isYoung,
  type LockHolder,
  type LockSeen,
  lookAtTicket,
  newTicket,
  placeTicket,
} from './ticket.ts';

/**
 * How a lock with a dead holder is broken, so that a fresh lock is never broken.
 *
 * The trap: two processes find the same dead holder. One of them removes the lock and takes a new one; the other is
 * a moment late and removes the new lock. A check before the removal does not help, because the lock can change
 * between the check and the removal. And to put the lock back later leaves its holder without it for a moment.
 *
 * So a process first takes the right to remove one particular lock. The right is a file that is created atomically
 * and named by the token of the lock: `lock.break-TOKEN`. Only its holder may remove that lock, because the holder of
 * the lock is dead. So the lock cannot become another lock between the check and the rename.
 *
 * The holder of the right may die too. Then another process takes the right to replace that holder in the same way,
 * with a file that is named by the token of the dead holder's ticket, and so on. The files form a chain, and only the
 * living process at its end may remove the lock.
 */

export type BreakOutcome =
  /** We or another process removed the lock: try again to take it. */
  | { readonly kind: 'gone' }
  /** The file was no lock, and we have moved it to this path. */
  | { readonly kind: 'moved'; readonly path: string }
  /** Another living process is about to break the lock. Null while its ticket is not written yet. */
  | { readonly kind: 'wait'; readonly breaker: LockHolder | null }
  /** The files changed meanwhile: look again. */
  | { readonly kind: 'changed' };

/**
 * Removes a lock with a dead holder, or moves a file that is no lock out of the way.
 *
 * @param token the token of the dead lock, as the caller has read it
 * @param moveTo the path for a file that is no lock; null: delete the lock
 * @throws the error of the file system
 */
export async function breakLock(
  lock: string,
  token: string,
  self: LockHolder,
  isAlive: (identity: Identity) => Promise<boolean>,
  moveTo: string | null,
): Promise<BreakOutcome> {
  const right = await takeRight(lock, token, self, isAlive);
  if (right.kind !== 'ours') return right;

  // While the lock is there, the rest of the chain must stay: then remove only our own file.
  let done: readonly string[] = right.chain.slice(-1);
  try {
    const seen = lookAtTicket(lock);
    if (seen.kind === 'changed') return seen;
    const outcome = isToken(seen, token) ? remove(lock, token, moveTo) : GONE;
    if (outcome.kind !== 'changed') done = right.chain;
    return outcome;
  } finally {
    for (const path of done) rmSync(path, { force: true });
  }
}

/**
 * Removes the files of rights to break locks that are gone; crashed processes left them. The files are listed before
 * the lock is read: each listed right belongs to an earlier lock, and if that lock is not there now, it will never be
 * again. Never throws, because a file that stays does no harm.
 */
export function removeOldRights(lock: string): void {
  try {
    const prefix = `${basename(lock)}.break-`;
    const rights = readdirSync(dirname(lock)).filter((name) => name.startsWith(prefix));
    const seen = lookAtTicket(lock);
    if (seen.kind === 'changed') return;
    for (const name of rights) {
      const [token] = name.slice(prefix.length).split('.');
      if (!isToken(seen, token)) rmSync(join(dirname(lock), name), { force: true });
    }
  } catch {
    // Another process removes the folder, or the folder cannot be listed.
  }
}

const GONE = { kind: 'gone' } as const;

type Right =
  /** Our own file is the last of the chain. */
  | { readonly kind: 'ours'; readonly chain: readonly string[] }
  | Extract<BreakOutcome, { kind: 'wait' | 'changed' }>;

/** Takes the right to remove the lock with this token. */
async function takeRight(
  lock: string,
  token: string,
  self: LockHolder,
  isAlive: (identity: Identity) => Promise<boolean>,
): Promise<Right> {
  const ends: { readonly path: string; readonly token: string }[] = [];
  let path = `${lock}.break-${token}`;
  while (!placeTicket(path, newTicket(self))) {
    const seen = lookAtTicket(path);
    if (seen.kind === 'free' || seen.kind === 'changed') return { kind: 'changed' };
    if (seen.kind === 'held' ? await isAlive(seen.holder.identity) : isYoung(seen.mtimeMs)) {
      return { kind: 'wait', breaker: seen.kind === 'held' ? seen.holder : null };
    }
    ends.push({ path, token: seen.token });
    path = `${lock}.break-${token}.${seen.token}`;
  }
  // One of the processes before us may have removed its file just before it died. Then another chain may have begun,
  // and our file belongs to none.
  if (ends.every((end) => isToken(lookAtTicket(end.path), end.token))) {
    return { kind: 'ours', chain: [...ends.map((end) => end.path), path] };
  }
  rmSync(path, { force: true });
  return { kind: 'changed' };
}

/** Removes or moves the lock. Only the process with the right to do so may call it. */
function remove(lock: string, token: string, moveTo: string | null): BreakOutcome {
  const aside = moveTo ?? temporaryPath(lock);
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return GONE;
    throw error;
  }
  if (isToken(lookAtTicket(aside), token)) {
    if (moveTo !== null) return { kind: 'moved', path: moveTo };
    rmSync(aside, { force: true });
    return GONE;
  }
  // This is another lock. That can only happen when somebody removes `.pids` by hand, with the rights: put it back.
  try {
    linkSync(aside, lock);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
  return { kind: 'changed' };
}

function isToken(seen: LockSeen, token: string | undefined): boolean {
  return 'token' in seen && seen.token === token;
}
