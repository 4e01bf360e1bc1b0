import type { OneOffParent } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import { sameIdentity } from '../../processes/identity.ts';
import { childrenOf } from '../../processes/linux/children.ts';
import { isGone, livesIn } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord } from '../../project/records.ts';
import { MAX_PASSES } from './ask-guards.ts';

export interface OneOffQuestion {
  readonly host: Host;
  readonly folder: ProjectFolder;
  /** The commands `devctl run` that have held one-offs up to now. */
  readonly oneOffParents: readonly OneOffParent[];
  /** Stops again what is found. */
  stopAgain(): Promise<void>;
}

/**
 * Asks the kernel whether anything is below the commands that hold one-offs. They are left to end by themselves.
 *
 * @returns an answer for each: has it a living child? Null: it could not be asked
 */
export async function askOneOffs(question: OneOffQuestion): Promise<readonly (boolean | null)[]> {
  const answers: (boolean | null)[] = [];
  for (const one of question.oneOffParents) {
    let kept = await hasLivingChild(question.host, one);
    for (let pass = 1; kept && pass < MAX_PASSES; pass += 1) {
      await question.stopAgain();
      kept = await hasLivingChild(question.host, one);
    }
    const isAlive = livesIn(await question.host.snapshot(), one.process.identity);
    answers.push(isAlive ? kept : ownAnswer(question.folder, one));
  }
  return answers;
}

/** Which of those that held one-offs at the beginning of a stop have held them to the end. */
export function stillHeld(
  folder: ProjectFolder,
  before: readonly OneOffParent[],
  latest: readonly OneOffParent[],
): readonly OneOffParent[] {
  return before.filter(
    (one) =>
      latest.some(({ process }) => sameIdentity(process.identity, one.process.identity)) ||
      ownAnswer(folder, one) === false,
  );
}

/** It removes its record when the kernel has told it that it has no child left, and only then by itself. */
function ownAnswer(folder: ProjectFolder, { run }: OneOffParent): boolean | null {
  return readRecord(folder, run.service).kind === 'missing' ? false : null;
}

/**
 * What is dead and waits for it to be reaped is no child any more: whatever was below that has come to it.
 *
 * @returns null where its children are not listed
 */
async function hasLivingChild(
  host: Host,
  { process: { identity } }: OneOffParent,
): Promise<boolean | null> {
  const { byPid } = await host.snapshot();
  // Afterwards: what a child that has just died has left is on this list.
  const listed = childrenOf(identity.pid);
  if (listed === null) return null;
  return listed.some((pid) => {
    const found = byPid.get(pid);
    return !found || !isGone(found);
  });
}
