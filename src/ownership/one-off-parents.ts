import { sameIdentity } from '../processes/identity.ts';
import { isGone, type Snapshot } from '../processes/snapshot.ts';
import type { OneOffParent, OwnershipFacts } from './claim.ts';

/**
 * The living commands that hold one-offs. A record is a file that anyone may edit, and what is below a host
 * is ended: so the command line must agree, unless it is ourselves.
 */
export function findOneOffParents(
  facts: OwnershipFacts,
  snapshot: Snapshot,
): readonly OneOffParent[] {
  return facts.runs.flatMap((run): OneOffParent[] => {
    const { supervisor, oneOff } = run;
    if (!oneOff || !supervisor) return [];
    const process = snapshot.byPid.get(supervisor.pid);
    if (!process || isGone(process) || !sameIdentity(process.identity, supervisor)) return [];
    const isSelf = sameIdentity(facts.self, supervisor);
    return isSelf || isRunCommand(snapshot.details.argv(process) ?? []) ? [{ process, run }] : [];
  });
}

/** Is it `node …/devctl run …`, with whatever options between? */
export function isRunCommand(argv: readonly string[]): boolean {
  const [program = ''] = argv;
  if (!/(^|\/)(node|devctl)$/.test(program)) return false;
  const script = argv.findIndex((word) => /(^|\/)devctl(\.js)?$/.test(word));
  const end = argv.indexOf('--', script + 1);
  return script >= 0 && argv.slice(script + 1, end < 0 ? undefined : end).includes('run');
}
