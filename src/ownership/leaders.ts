import { type Identity, identityKey, sameIdentity, sameMachine } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import type { OwnershipFacts } from './claim.ts';
import { addFinding, type ClaimSearch, type Leader } from './search.ts';

/** Lists every process once known to be ours that may have led a session or a group. */
export function findLeaders(facts: OwnershipFacts, snapshot: Snapshot): ClaimSearch['leaders'] {
  const leaders = new Map<string, Leader>();
  const addLeader = (leader: Leader): void => {
    if (leader.identity.pid <= 1 || !sameMachine(leader.identity, snapshot)) return;
    const key = identityKey(leader.identity);
    const known = leaders.get(key);
    leaders.set(key, {
      ...(known ?? leader),
      fresh: leader.fresh || (known?.fresh ?? false),
      ledSession: leader.ledSession || (known?.ledSession ?? false),
      ledGroup: leader.ledGroup || (known?.ledGroup ?? false),
      sid: (leader.ledGroup && leader.sid) || (known?.sid ?? 0),
    });
  };
  for (const { leader, service, runId, oneOff, terminal } of facts.runs) {
    // A leader on a terminal leads nothing, unless the ledger says so.
    const identity = terminal?.session ?? leader;
    if (identity === null || oneOff?.terminal) continue;
    const origin = { service, runId };
    const sid = identity.pid;
    addLeader({ identity, origin, fresh: false, ledSession: true, ledGroup: true, sid });
    if (!terminal) continue;
    const { holder } = terminal;
    const held = { identity: holder, origin, fresh: false, sid: holder.pid };
    addLeader({ ...held, ledSession: true, ledGroup: true });
  }
  for (const { identity, service, runId, fresh = false, pgid = 0, sid = 0 } of facts.witnessed) {
    const ledSession = sid === 0 || sid === identity.pid;
    const ledGroup = pgid === 0 || pgid === identity.pid;
    addLeader({ identity, origin: { service, runId }, fresh, ledSession, ledGroup, sid });
  }
  return [...leaders.values()];
}

/** Claims the members of sessions and groups whose leader is known to be ours and has died. */
export function claimLeaderless(search: ClaimSearch): void {
  const { snapshot, found } = search;
  for (const { identity, origin, fresh, ledSession, ledGroup, sid } of search.leaders) {
    const current = snapshot.byPid.get(identity.pid);
    // The number has a living process. If that is claimed, its members are claimed already. If not, it is a
    // stranger or vetoed, and so are its members.
    if (current && !isGone(current)) continue;
    for (const [kind, led, index] of [
      ['session', ledSession, snapshot.bySession],
      ['group', ledGroup, snapshot.byGroup],
    ] as const) {
      const all = led ? index.get(identity.pid) : undefined;
      if (!all || !isSameNumber(identity, current, all)) continue;
      // A group never leaves its session (setpgid(2)), so in another session the number is another group's.
      if (kind === 'group' && sid > 0 && all.some((member) => member.sid > 0 && member.sid !== sid))
        continue;
      const members = all.filter((member) => !isGone(member));
      // A member that other evidence claims proves that the number was never free.
      const anchored = fresh || members.some(({ identity: { pid } }) => found.has(pid));
      for (const member of members) {
        if (!anchored && !mayBeOurs(search, member)) continue;
        const family = kind === 'session' ? 'session' : 'process group';
        const detail = `in ${family} ${identity.pid}, whose leader has died`;
        addFinding(search, member, { kind, detail, ...origin });
      }
    }
  }
}

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
function isSameNumber(
  leader: Identity,
  current: ProcessInfo | undefined,
  members: readonly ProcessInfo[],
): boolean {
  if (current) return sameIdentity(current.identity, leader);
  return members.every(({ identity }) => identity.startTicks >= leader.startTicks);
}

/**
 * Tells whether a member may be ours although the number of its session or group may have been free
 * meanwhile. It must work in the project and carry our cookie, which every process of ours hands on to its
 * children. A process that has cleared its environment passes. One whose environment cannot be read does not: it
 * may carry another project's mark.
 */
function mayBeOurs({ facts, snapshot, vetoes }: ClaimSearch, member: ProcessInfo): boolean {
  if (!isInside(facts.root, snapshot.details.cwd(member))) return false;
  if (vetoes.cookies.has(member.identity.pid)) return true;
  // In the middle of an execve(2) there are no arguments either.
  const { environ, argv } = snapshot.details;
  return environ(member) === '' && (argv(member) ?? []).length > 0;
}
