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
 * Breaking a lock whose holder is dead, such that a fresh lock is never broken.
 *
 * The trap: two processes find the same dead holder; one removes the lock and takes it anew; the
 * other, a moment late, removes the new one. No look before the removal helps, because there is
 * always a moment between the two, and putting a wrongly taken lock back leaves one without it.
 *
 * So the right to remove one particular lock, named by its token, is itself taken by an atomic
 * creation: `lock.break-TOKEN`. Its holder is then the only process that may remove that lock (the
 * lock's own holder is dead), and what nobody else may remove cannot become another lock between
 * the look and the rename. If it dies too, the right to stand in for it is taken the same way, named
 * by the token of *its* ticket, and so on: a chain, of which only the living end may act.
 */

export type BreakOutcome =
  /** The lock is gone, by us or by another: try again to take it. */
  | { readonly kind: 'gone' }
  /** Moved here by us: what lay there was not a lock. */
  | { readonly kind: 'moved'; readonly path: string }
  /** Another living process is about to break it; null where its ticket is not written yet. */
  | { readonly kind: 'wait'; readonly breaker: LockHolder | null }
  /** The files changed under us: look again. */
  | { readonly kind: 'changed' };

/**
 * @param token of the dead lock, as it was seen
 * @param moveTo where to move what is not a lock; null to delete a lock whose holder is dead
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

  // While the lock is there the chain must stay whole behind us: then only our end of it goes.
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
 * Removes what crashed breakers left of locks that are gone. Listing comes before looking: a right
 * that is listed is of a lock that was there before, and if that is not the lock now, it never will
 * be again. Never throws: what stays harms nobody.
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
    // Somebody removes the folder, or it cannot be listed.
  }
}

const GONE = { kind: 'gone' } as const;

type Right =
  | { readonly kind: 'ours'; readonly chain: readonly string[] }
  | Extract<BreakOutcome, { kind: 'wait' | 'changed' }>;

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
  // One of the breakers before us may have given up its right just before it died; then there is
  // another first end by now, and ours hangs on nothing.
  if (ends.every((end) => isToken(lookAtTicket(end.path), end.token))) {
    return { kind: 'ours', chain: [...ends.map((end) => end.path), path] };
  }
  rmSync(path, { force: true });
  return { kind: 'changed' };
}

/** To be called by the only process that has the right to. */
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
  // Only someone who removes `.pids` by hand, rights and all, can bring us here: put it back.
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
