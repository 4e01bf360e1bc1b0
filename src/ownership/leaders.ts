import { identityKey, sameMachine } from '../processes/identity.ts';
import { isGone, type Snapshot } from '../processes/snapshot.ts';
import type { OwnershipFacts } from './claim.ts';
import { isInside } from './inside.ts';
import { isSameNumber } from './numbers.ts';
import { add, type Leader, type Search } from './search.ts';

/** Everything once known to be ours that may have led a session or a group. */
export function findLeaders(facts: OwnershipFacts, snapshot: Snapshot): Search['leaders'] {
  const leaders = new Map<string, Leader>();
  const keep = (leader: Leader): void => {
    if (leader.identity.pid <= 1 || !sameMachine(leader.identity, snapshot)) return;
    const key = identityKey(leader.identity);
    const known = leaders.get(key);
    leaders.set(key, {
      ...(known ?? leader),
      fresh: leader.fresh || (known?.fresh ?? false),
      ledSession: leader.ledSession || (known?.ledSession ?? false),
      ledGroup: leader.ledGroup || (known?.ledGroup ?? false),
    });
  };
  for (const { leader: identity, service, runId } of facts.runs) {
    if (identity === null) continue;
    const origin = { service, runId };
    keep({ identity, origin, fresh: false, ledSession: true, ledGroup: true });
  }
  for (const { identity, service, runId, fresh = false, pgid = 0, sid = 0 } of facts.witnessed) {
    const ledSession = sid === 0 || sid === identity.pid;
    const ledGroup = pgid === 0 || pgid === identity.pid;
    keep({ identity, origin: { service, runId }, fresh, ledSession, ledGroup });
  }
  return [...leaders.values()];
}

/** Sessions and groups whose leader, known to be ours, has died. */
export function claimLeaderless(search: Search): void {
  const { facts, snapshot, found } = search;
  for (const { identity, origin, fresh, ledSession, ledGroup } of search.leaders) {
    const current = snapshot.byPid.get(identity.pid);
    // Alive and claimed: settled. Alive and not: a stranger, or vetoed, and so is what it leads.
    if (current && !isGone(current)) continue;
    for (const [kind, led, index] of [
      ['session', ledSession, snapshot.bySession],
      ['group', ledGroup, snapshot.byGroup],
    ] as const) {
      const all = led ? index.get(identity.pid) : undefined;
      if (!all || !isSameNumber(identity, current, all)) continue;
      const members = all.filter((member) => !isGone(member));
      // One member known by other evidence proves that the number was never free.
      const anchored = fresh || members.some(({ identity: { pid } }) => found.has(pid));
      for (const member of members) {
        if (!anchored && !isInside(facts.root, snapshot.details.cwd(member))) continue;
        const what = kind === 'session' ? 'session' : 'process group';
        const detail = `in ${what} ${identity.pid}, whose leader has died`;
        add(search, member, { kind, detail, ...origin });
      }
    }
  }
}
