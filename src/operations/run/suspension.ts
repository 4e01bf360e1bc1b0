import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import type { ProcessTable } from '../../processes/table.ts';

/** The time in which a SIGCONT to a whole group reaches each of its processes, in ms. */
const RECHECK_MS = 20;

/**
 * Suspends this process whenever its command is suspended, and continues the command when this process continues.
 *
 * Ctrl-Z goes to the whole process group. The shell takes the terminal back when its child is suspended, and its child
 * is this process. So this process must be suspended when the command is, and must go on when the command handles
 * Ctrl-Z itself, as an editor or an inner shell does. The kernel sends SIGCHLD when a child is suspended (sigaction(2),
 * without SA_NOCLDSTOP, as libuv sets it). It also sends SIGCHLD for every child that ends, thousands a second in a fork
 * storm, so only the command itself is looked at, and never the whole process table.
 *
 * @returns the function that ends the mirroring
 */
export function mirrorSuspension(
  host: Pick<Host, 'snapshot' | 'signal' | 'signalGroup'>,
  table: Pick<ProcessTable, 'read'>,
  leader: Identity,
): () => void {
  let over = false;
  let checking = false;
  const ignore = (): void => {};
  const isStopped = async (): Promise<boolean> => {
    const found = await table.read(leader.pid);
    return found?.state === 'T' && sameIdentity(found.identity, leader);
  };
  const suspendIfStopped = async (): Promise<void> => {
    if (checking || over) return;
    checking = true;
    try {
      if (!(await isStopped())) return;
      await delay(RECHECK_MS);
      if (over || !(await isStopped())) return;
      // SIGTSTP as Ctrl-Z sends it. In an orphaned process group, which no shell can continue, the kernel ignores it.
      process.off('SIGTSTP', ignore);
      process.kill(process.pid, 'SIGTSTP');
    } finally {
      checking = false;
    }
  };
  const onChild = (): void => void suspendIfStopped();
  const onContinue = (): void => {
    if (!over) process.on('SIGTSTP', ignore);
    void continueCommand(host, leader);
  };
  process.on('SIGTSTP', ignore);
  process.on('SIGCHLD', onChild);
  process.on('SIGCONT', onContinue);
  return () => {
    over = true;
    process.off('SIGTSTP', ignore);
    process.off('SIGCHLD', onChild);
    process.off('SIGCONT', onContinue);
  };
}

/**
 * Continues the command. The shell has continued our own process group; an inner interactive shell has a group of its
 * own.
 */
async function continueCommand(
  host: Pick<Host, 'snapshot' | 'signal' | 'signalGroup'>,
  leader: Identity,
): Promise<void> {
  const { byPid } = await host.snapshot();
  const found = byPid.get(leader.pid);
  if (found?.state !== 'T') return;
  if (found.pgid === byPid.get(process.pid)?.pgid) await host.signal(leader, 'SIGCONT');
  else await host.signalGroup(found.pgid, leader, 'SIGCONT');
}
