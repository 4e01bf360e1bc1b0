import type { OneOffParent } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import { sameIdentity } from '../../processes/identity.ts';
import { childrenOf } from '../../processes/linux/children.ts';
import { livesStill } from '../../processes/lives-now.ts';
import { isGone } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord } from '../../project/records.ts';
import { MAX_PASSES } from './ask-guards.ts';

export interface OneOffQuestion {
  readonly host: Host;
  readonly folder: ProjectFolder;
  /** The `devctl run` commands that were there during the whole stop. */
  readonly oneOffParents: readonly OneOffParent[];
  /** Repeats the stop, which ends the processes that it finds. */
  stopAgain(): Promise<void>;
}

/**
 * Asks the kernel whether `devctl run` commands have children. The commands themselves are not ended: each ends when
 * its one-off has ended.
 *
 * @returns for each command: does it have a living child? Null: it could not be asked
 */
export async function askOneOffs(question: OneOffQuestion): Promise<readonly (boolean | null)[]> {
  const answers: (boolean | null)[] = [];
  for (const parent of question.oneOffParents) {
    let hasChild = await hasLivingChild(question.host, parent);
    for (let pass = 1; hasChild && pass < MAX_PASSES; pass += 1) {
      await question.stopAgain();
      hasChild = await hasLivingChild(question.host, parent);
    }
    const isAlive = await livesStill(question.host, parent.process.identity);
    answers.push(isAlive ? hasChild : answerOfEnded(question.folder, parent));
  }
  return answers;
}

/** The `devctl run` commands that either still live, or have ended by themselves without a child. */
export function presentToTheEnd(
  folder: ProjectFolder,
  before: readonly OneOffParent[],
  latest: readonly OneOffParent[],
): readonly OneOffParent[] {
  return before.filter(
    (parent) =>
      latest.some(({ process }) => sameIdentity(process.identity, parent.process.identity)) ||
      answerOfEnded(folder, parent) === false,
  );
}

/**
 * The answer of a `devctl run` that is not alive any more. It removes its record only when the kernel has told it that
 * it has no child left, so a missing record means "no child". A record that is still there means that it was killed.
 */
function answerOfEnded(folder: ProjectFolder, { run }: OneOffParent): boolean | null {
  return readRecord(folder, run.service).kind === 'missing' ? false : null;
}

/**
 * Asks the kernel for children. Zombies do not count: the children that they had have already been handed to the
 * subreaper.
 *
 * @returns null where the kernel does not list children
 */
async function hasLivingChild(
  host: Host,
  { process: { identity } }: OneOffParent,
): Promise<boolean | null> {
  const { byPid } = await host.snapshot();
  // Listed after the snapshot, so that the orphans of a child that has just died are on the list.
  const listed = childrenOf(identity.pid);
  if (listed === null) return null;
  return listed.some((pid) => {
    const found = byPid.get(pid);
    return !found || !isGone(found);
  });
}
