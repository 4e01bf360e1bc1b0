import { sameIdentity } from '../processes/identity.ts';
import { isGone, type Snapshot } from '../processes/snapshot.ts';
import type { OneOffParent, OwnershipFacts } from './claim.ts';
import { isRunCommand } from './devctl-argv.ts';

/**
 * Finds the living `devctl run` commands of the project. Anyone may edit a record, and a stop ends
 * everything below a one-off parent, so its command line must agree, unless it is the process that asks.
 */
export function findOneOffParents(
  facts: OwnershipFacts,
  snapshot: Snapshot,
): readonly OneOffParent[] {
  return facts.runs.flatMap((run): OneOffParent[] => {
    const { supervisor, oneOff } = run;
    // A supervisor runs hooks, and a stop asks it anyway.
    if (!oneOff || oneOff.hook || !supervisor) return [];
    const process = snapshot.byPid.get(supervisor.pid);
    if (!process || isGone(process) || !sameIdentity(process.identity, supervisor)) return [];
    const isSelf = sameIdentity(facts.self, supervisor);
    return isSelf || isRunCommand(snapshot.details.argv(process) ?? []) ? [{ process, run }] : [];
  });
}
