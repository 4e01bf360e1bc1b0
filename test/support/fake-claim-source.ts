import type {
  Claim,
  OpenFileEvidence,
  Ownership,
  OwnershipFacts,
  RunGroup,
  Witnessed,
} from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { identityKey } from '../../src/processes/identity.ts';
import type { Snapshot } from '../../src/processes/snapshot.ts';
import type { ClaimSource } from '../../src/stopping/engine.ts';

export const UNATTRIBUTED = '(no service)';

/**
 * Claims processes by evidence, scan after scan: with the same memory as a real stop has, without the files.
 *
 * Fresh is what the scan before this one saw alive, and no older: a number that was freed any longer
 * ago may already be a stranger's.
 */
export function rememberingSource(
  facts: OwnershipFacts,
  names: ReadonlySet<string>,
  readGroups: () => readonly RunGroup[] = () => [],
): ClaimSource & {
  latest(): Ownership;
  lookCloser(snapshot: Snapshot, traces: OpenFileEvidence): ReadonlyMap<number, Claim>;
} {
  const seen = new Map<string, { readonly witnessed: Witnessed; readonly scan: number }>();
  let latest: Ownership = {
    claims: new Map(),
    spared: [],
    stale: [],
    supervisors: [],
    guards: [],
    oneOffParents: [],
    adopters: [],
    foreignMarks: [],
  };
  let scan = 0;
  const remember: ClaimSource['remember'] = (claims) => {
    for (const { process, service, runId } of claims) {
      const { identity, pgid, sid } = process;
      const witnessed = { service, runId, identity, pgid, sid };
      seen.set(identityKey(identity), { witnessed, scan });
    }
  };
  let groups: readonly RunGroup[] = [];
  const unitOf: ClaimSource['unitOf'] = ({ service }) =>
    service && names.has(service) ? service : UNATTRIBUTED;
  const look = (snapshot: Snapshot, traces?: OpenFileEvidence): ReadonlyMap<number, Claim> => {
    const witnessed = [...seen.values()].map((one) => ({
      ...one.witnessed,
      fresh: one.scan === scan,
    }));
    groups = readGroups();
    const more = { groups, witnessed: [...facts.witnessed, ...witnessed] };
    latest = claimProcesses(
      { ...facts, ...more, ...(traces ? { openFiles: traces } : {}) },
      snapshot,
    );
    scan += 1;
    remember([...latest.claims.values()]);
    return latest.claims;
  };
  return {
    project: facts.project,
    unitOf,
    groupsOf: (unit) =>
      groups
        .filter(({ pids }) =>
          [...pids].some((pid) => {
            const claim = latest.claims.get(pid);
            return claim !== undefined && unitOf(claim) === unit;
          }),
        )
        .map(({ folder }) => folder),
    remember,
    supervisors: () => latest,
    latest: () => latest,
    claim: (snapshot) => look(snapshot),
    lookCloser: look,
  };
}
