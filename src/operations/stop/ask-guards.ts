import { endGuards } from '../../client/end-supervisor.ts';
import { ancestry } from '../../ownership/ancestry.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { listsChildren } from '../../processes/linux/children.ts';
import { livesStill } from '../../processes/lives-now.ts';
import { isGone, type ProcessInfo } from '../../processes/snapshot.ts';

/** The number of passes that a stop of everything makes while a supervisor, a guard or a `devctl run` has children. */
export const MAX_PASSES = 3;

export interface GuardQuestion {
  readonly host: Host;
  /** The process that carries out the stop. */
  readonly self: Identity;
  /** The guards that were alive when everything else had ended. */
  readonly guards: readonly ProcessInfo[];
  /** The supervisors that have been ended since then, and the supervisor that carries out the stop. */
  readonly supervisors: readonly ProcessInfo[];
  /** Repeats the stop, which ends the processes that it finds. */
  stopAgain(): Promise<void>;
}

/**
 * Asks the kernel whether guards have children, and ends the guards.
 *
 * @returns for each guard whose answer counts: does it have a child? Null: it could not be asked
 */
export async function askGuards(question: GuardQuestion): Promise<readonly (boolean | null)[]> {
  const { host, self, supervisors } = question;
  if (question.guards.length === 0) return [];
  const snapshot = await host.snapshot();
  const depth = ({ identity }: ProcessInfo): number => ancestry(identity.pid, snapshot).length;
  // The innermost guard first: a guard that was started from within a service is below an earlier guard.
  const guards = [...question.guards].sort((a, b) => depth(b) - depth(a));
  const above = ancestry(self.pid, snapshot).map(({ identity }) => identity.pid);
  const answers: (boolean | null)[] = [];
  for (const guard of guards) {
    const { identity } = guard;
    if (above.includes(identity.pid)) {
      // This process is below the guard, so the guard has a child in any case. If the guard is our direct parent, we
      // are its supervisor, and our own answer counts instead.
      if (above[1] !== identity.pid) answers.push(null);
      continue;
    }
    let hasChild = await hasLivingChild(host, identity.pid);
    for (let pass = 1; hasChild && pass < MAX_PASSES; pass += 1) {
      await question.stopAgain();
      hasChild = await hasLivingChild(host, identity.pid);
    }
    // The list of a dead guard is empty too, but its children went to another process.
    if (await livesStill(host, identity)) answers.push(hasChild);
    // A supervisor ends its own guard only when neither has a child left, so that answer counts.
    else if (!supervisors.some(({ ppid }) => ppid === identity.pid)) answers.push(null);
    await endGuards(host, [guard]);
  }
  await endGuards(host, guards);
  return answers;
}

/** Longest time that the kernel may take to remove a dead child on a busy machine, in ms. */
const REMOVAL_MS = 1_000;
const REMOVAL_POLL_MS = 10;

/**
 * Asks the kernel whether a process has a child, and waits while each of them is dead and only not removed yet. A
 * guard ignores SIGCHLD, so the kernel removes its children by itself, but the dying process does that in its own turn
 * of the processor.
 *
 * @returns as `listsChildren`
 */
async function hasLivingChild(host: Host, pid: number): Promise<boolean | null> {
  const end = host.nowMs() + REMOVAL_MS;
  for (;;) {
    const hasChild = listsChildren(pid);
    if (!hasChild || host.nowMs() >= end) return hasChild;
    const { byParent } = await host.snapshot();
    if (byParent.get(pid)?.some((child) => !isGone(child))) return true;
    await host.delay(REMOVAL_POLL_MS);
  }
}
