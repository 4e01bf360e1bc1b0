import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';

/**
 * Is this session or group still the one that our process led, or has its number been given away?
 *
 * The kernel never reuses a number while a process has it as pid, pgid or sid (alloc_pid keeps it
 * attached), so a session with members is ours unless it died out completely in between. Then its
 * new leader, or a member older than our leader, betrays it.
 *
 * @param leader   the process of ours that led it
 * @param current  who has that number as its pid today, a zombie included
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
