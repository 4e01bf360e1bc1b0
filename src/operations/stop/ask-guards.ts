import { endGuards } from '../../client/end-supervisor.ts';
import { ancestry } from '../../ownership/vetoes.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { listsChildren } from '../../processes/linux/children.ts';
import { livesIn, type ProcessInfo } from '../../processes/snapshot.ts';

/** How often a full stop begins again because something is left below a supervisor or a guard, at most. */
export const MAX_PASSES = 3;

export interface GuardQuestion {
  readonly host: Host;
  readonly self: Identity;
  /** All that were alive when everything else had ended. */
  readonly guards: readonly ProcessInfo[];
  /** The supervisors that have been ended since, or that carry this out. */
  readonly supervisors: readonly ProcessInfo[];
  /** Stops again what is found. */
  stopAgain(): Promise<void>;
}

/**
 * Asks the kernel whether anything is below the guards, and ends them.
 *
 * @returns an answer for each that was to be asked: has it a child? Null: it could not be asked
 */
export async function askGuards(question: GuardQuestion): Promise<readonly (boolean | null)[]> {
  const { host, self, supervisors } = question;
  const snapshot = await host.snapshot();
  const depth = ({ identity }: ProcessInfo): number => ancestry(identity.pid, snapshot).length;
  // The innermost first: started from within a service, a guard is below an earlier one.
  const guards = [...question.guards].sort((a, b) => depth(b) - depth(a));
  const above = ancestry(self.pid, snapshot).map(({ identity }) => identity.pid);
  const answers: (boolean | null)[] = [];
  for (const guard of guards) {
    const { identity } = guard;
    if (above.includes(identity.pid)) {
      // It has a child in any case. Of what a supervisor was started by, its own answer tells.
      if (above[1] !== identity.pid) answers.push(null);
      continue;
    }
    let kept = listsChildren(identity.pid);
    for (let pass = 1; kept && pass < MAX_PASSES; pass += 1) {
      await question.stopAgain();
      kept = listsChildren(identity.pid);
    }
    // Of one that is dead the list is empty as well; what was below it is elsewhere.
    if (livesIn(await host.snapshot(), identity)) answers.push(kept);
    // Its supervisor has ended it, as it does when nothing is left below them: that was the answer.
    else if (!supervisors.some(({ ppid }) => ppid === identity.pid)) answers.push(null);
    await endGuards(host, [guard]);
  }
  await endGuards(host, guards);
  return answers;
}
