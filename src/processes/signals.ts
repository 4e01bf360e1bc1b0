import { errnoOf } from '../errors.ts';
import type { SignalName, SignalOutcome } from './host.ts';
import { type Identity, sameIdentity } from './identity.ts';
import type { Pidfd } from './native/pidfd.ts';
import { isGone, type ProcessInfo, UNKNOWN_GROUP } from './snapshot.ts';
import type { ProcessTable } from './table.ts';

/**
 * Signals exactly this process, and reads its identity again immediately before.
 *
 * @param pidfd null where there is none; then a pid could still be reused in the microseconds
 *   between the look and the signal (4 µs measured; a pid comes round after 32,000 forks at least)
 * @param signal 0: sends nothing, and only asks whether it could be sent
 * @returns 'replaced' also for pid 1 and for numbers that are no pid at all; nothing is sent then
 */
export async function signalProcess(
  table: ProcessTable,
  pidfd: Pidfd | null,
  target: Identity,
  signal: SignalName | 0,
): Promise<SignalOutcome> {
  // To kill(2) 0 is our own group, -1 is every process; 1 is init. A corrupt record may hold any of them.
  if (!Number.isInteger(target.pid) || target.pid <= 1) return 'replaced';
  const opened = pidfd?.open(target.pid) ?? 'ENOSYS';
  if (opened === 'ESRCH') return 'gone';
  // A runaway is ended also where we have no descriptor left (EMFILE).
  if (pidfd === null || typeof opened === 'string') {
    const refusal = refuse(await table.read(target.pid), target);
    return refusal ?? killByNumber(target.pid, signal);
  }
  try {
    // This order proves that the pidfd is the target's: it was opened before the identity was read,
    // so a number that changed hands in between shows the new owner's start time.
    const refusal = refuse(await table.read(target.pid), target);
    return refusal ?? outcomeOf(pidfd.send(opened, signal));
  } finally {
    pidfd.close(opened);
  }
}

/**
 * Signals a whole process group while `member`, alive and verified, is in it: while a group has a
 * member, its number cannot be given to another group.
 *
 * Where `ps` tells no groups, the tree below the group's leader stands in for the group.
 *
 * @returns 'replaced' also for a group that is our own or no group (≤ 1), and where the member moved to
 *   another group; nothing is sent then, and the caller signals the processes one by one
 */
export async function signalProcessGroup(
  table: ProcessTable,
  pgid: number,
  member: Identity,
  signal: SignalName,
): Promise<SignalOutcome> {
  if (!Number.isInteger(pgid) || pgid <= 1) return 'replaced';
  const self = await table.read(process.pid);
  if (self === null || self.pgid === pgid) return 'replaced';
  const found = await table.read(member.pid);
  const refusal = refuse(found, member);
  if (refusal !== null) return refusal;
  const isLeader = member.pid === pgid;
  if (table.kind === 'portable' && found?.pgid === UNKNOWN_GROUP && isLeader) {
    return signalTree(member.pid, signal);
  }
  if (found?.pgid !== pgid) return 'replaced';
  return killByNumber(-pgid, signal);
}

/**
 * Signals a process and everything below it. Best effort: tree-kill asks `ps` for the children of each process, and a
 * process whose parent has died is below nobody any more.
 */
async function signalTree(leader: number, signal: SignalName): Promise<SignalOutcome> {
  const { default: treeKill } = await import('tree-kill');
  return new Promise((resolve, reject) => {
    treeKill(leader, signal, (error) => {
      if (error === undefined) resolve('sent');
      else if (errnoOf(error) === 'EPERM') resolve('denied');
      else reject(error);
    });
  });
}

/** Tells why `found`, read just now under the target's number, must not be signalled; null if it may be. */
function refuse(found: ProcessInfo | null, target: Identity): SignalOutcome | null {
  if (found === null) return 'gone';
  if (!sameIdentity(found.identity, target)) return 'replaced';
  return isGone(found) ? 'gone' : null;
}

function killByNumber(number: number, signal: SignalName | 0): SignalOutcome {
  try {
    process.kill(number, signal);
    return 'sent';
  } catch (error) {
    return outcomeOf(errnoOf(error) ?? null, error);
  }
}

function outcomeOf(errno: string | null, cause?: unknown): SignalOutcome {
  if (errno === null && cause === undefined) return 'sent';
  if (errno === 'ESRCH') return 'gone';
  if (errno === 'EPERM') return 'denied';
  throw cause ?? new Error(`pidfd_send_signal: ${errno}`);
}
