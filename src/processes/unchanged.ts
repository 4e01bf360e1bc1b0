import { sameIdentity } from './identity.ts';
import { isGone, type Snapshot } from './snapshot.ts';

/**
 * Tells whether all processes of ours are as they were, and have no new child.
 *
 * @param ours pids of our processes, and of the processes that adopt their orphans
 */
export function isUnchanged(
  before: Snapshot,
  now: Pick<Snapshot, 'byPid'>,
  ours: ReadonlySet<number>,
): boolean {
  for (const pid of ours) {
    const [was, is] = [before.byPid.get(pid), now.byPid.get(pid)];
    if (!was || !is || !sameIdentity(was.identity, is.identity)) return false;
    if (was.ppid !== is.ppid || was.pgid !== is.pgid || was.sid !== is.sid) return false;
    if (isGone(was) !== isGone(is)) return false;
  }
  for (const [pid, { ppid }] of now.byPid) {
    // A child of a new process needs no check: its parent is new itself, or it has become a child of ours.
    if (!before.byPid.has(pid) && ours.has(ppid)) return false;
  }
  return true;
}

/** Collects these processes and everything below them, by the chain of parents. */
export function withAllBelow(snapshot: Snapshot, roots: Iterable<number>): Set<number> {
  const all = new Set(roots);
  // A set is walked in the order in which it grows.
  for (const pid of all) {
    for (const { identity } of snapshot.byParent.get(pid) ?? []) all.add(identity.pid);
  }
  return all;
}
