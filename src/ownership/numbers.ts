import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';

/**
 * Tells whether a session or group is still the one that our process led, or its number has been given
 * away.
 *
 * The kernel never reuses a number while a process has it as pid, pgid or sid (alloc_pid keeps it
 * attached), so a session with members is ours unless it died out completely in between. A new leader, or
 * a member older than our leader, shows that it did.
 *
 * @param leader   our process that led it
 * @param current  the process that has the number as its pid today, a zombie included
 * @param members  the processes whose sid (or pgid) is the number
 */
export function isSameNumber(
  leader: Identity,
  current: ProcessInfo | undefined,
  members: readonly ProcessInfo[],
): boolean {
  if (current) return sameIdentity(current.identity, leader);
  return members.every(({ identity }) => identity.startTicks >= leader.startTicks);
}
