import { type Identity, identityKey, sameIdentity, sameMachine } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';

/** A process of no known run, and the parent that it had when it was seen. */
export interface Nameless {
  readonly identity: Identity;
  readonly ppid: number;
}

/** The supervisors and guards that the records of the manifests of one folder name. */
export interface ResidentsOfManifests {
  readonly ours: readonly Identity[];
  /** Those of the other manifests, without runs that never had a process. */
  readonly others: readonly Identity[];
}

/**
 * Sorts the processes of no known run that the ledgers of a folder with several manifests name. The ledgers do not say
 * which manifest has witnessed a process. But the process was a child of the supervisor that witnessed it or of the guard,
 * or is below one of them still. Where neither tells, nobody knows.
 *
 * @returns the processes that are ours, and those that may be
 */
export function sortNameless<Entry extends Nameless>(
  entries: readonly Entry[],
  residents: ResidentsOfManifests,
  snapshot: Snapshot,
): { readonly ours: readonly Entry[]; readonly inDoubt: readonly Entry[] } {
  const { ours, others } = residents;
  // We have never run here, or every run of ours has ended with proof.
  if (ours.length === 0) return { ours: [], inDoubt: [] };
  if (others.length === 0) return { ours: entries, inDoubt: [] };
  // A process was seen several times perhaps, with another parent each time.
  const keysBelow = (all: readonly Identity[]): ReadonlySet<string> => {
    const isBelow = (entry: Entry): boolean =>
      all.some((one) => wasParent(one, entry) || isAbove(one, entry, snapshot));
    return new Set(entries.filter(isBelow).map(({ identity }) => identityKey(identity)));
  };
  const [belowOurs, belowOthers] = [keysBelow(ours), keysBelow(others)];
  const isBelow = (keys: ReadonlySet<string>, { identity }: Entry): boolean =>
    keys.has(identityKey(identity));
  return {
    ours: entries.filter((entry) => isBelow(belowOurs, entry) && !isBelow(belowOthers, entry)),
    inDoubt: entries.filter((entry) => isBelow(belowOurs, entry) === isBelow(belowOthers, entry)),
  };
}

function wasParent(resident: Identity, { identity, ppid }: Nameless): boolean {
  return (
    resident.pid === ppid &&
    sameMachine(resident, identity) &&
    resident.startTicks <= identity.startTicks
  );
}

function isAbove(resident: Identity, { identity: { pid } }: Nameless, snapshot: Snapshot): boolean {
  return ancestry(pid, snapshot).some((above) => sameIdentity(above.identity, resident));
}
