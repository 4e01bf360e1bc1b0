import { ancestry } from '../ownership/ancestry.ts';
import type { Claim, OwnershipFacts, RecordedElsewhere } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { recordedInFolders, recordsOfOthers } from './other-projects.ts';

/**
 * Asks the records of other projects for the processes that neither a record of ours nor our mark names. Another project
 * may have no living supervisor that shows whose they are. Each process is asked for once, because to read the records of
 * every project in every scan costs too much.
 */
export interface NamedElsewhere {
  /** Adds what earlier scans have found to the facts. */
  addTo(facts: OwnershipFacts): OwnershipFacts;
  /**
   * @param claims processes that are ours by these facts
   * @returns the processes of other projects among them and above them that were not known before
   */
  ask(
    own: ProjectFolder,
    claims: Iterable<Claim>,
    snapshot: Snapshot,
  ): readonly RecordedElsewhere[];
}

export function openNamedElsewhere(): NamedElsewhere {
  let asked: ReadonlySet<string> = new Set();
  let known: readonly RecordedElsewhere[] = [];
  return {
    addTo: (facts) =>
      known.length === 0 ? facts : { ...facts, elsewhere: [...(facts.elsewhere ?? []), ...known] },
    ask(own, claims, snapshot) {
      const weak = [...claims].filter(isUnnamed).map(({ process }) => process);
      const fresh = weak.filter(({ identity }) => !asked.has(identityKey(identity)));
      asked = new Set(weak.map(({ identity }) => identityKey(identity)));
      if (fresh.length === 0) return [];
      const above = new Set(
        fresh.flatMap(({ identity: { pid } }) =>
          ancestry(pid, snapshot).map(({ identity }) => identity.pid),
        ),
      );
      const places = new Set(fresh.map((process) => snapshot.details.cwd(process)));
      const named = [...recordsOfOthers(own, snapshot).named, ...recordedInFolders(own, places)];
      const found = named.filter(
        ({ identity }) => above.has(identity.pid) && livesIn(snapshot, identity),
      );
      known = [...known.filter(({ identity }) => livesIn(snapshot, identity)), ...found];
      return found;
    },
  };
}

function isUnnamed({ evidence }: Claim): boolean {
  return !evidence.some(({ kind }) => kind === 'leader' || kind === 'cookie');
}
