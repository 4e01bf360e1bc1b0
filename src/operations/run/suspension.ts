import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';

/** Long enough for what continues a whole group to have reached each of it. */
const RECHECK_MS = 20;

/**
 * Stops this process whenever its command is stopped, and lets the command go on when we do.
 *
 * Ctrl-Z goes to the whole process group. A shell takes the terminal back when its child stops, which is us:
 * so we must stop if the command does, and must not if the command has its own idea of Ctrl-Z (an editor, a
 * shell within). The kernel tells a parent of a child that stops by SIGCHLD (sigaction(2), without
 * SA_NOCLDSTOP, as libuv has it).
 *
 * @returns how to end that
 */
export function mirrorSuspension(
  host: Pick<Host, 'snapshot' | 'signal' | 'signalGroup'>,
  leader: Identity,
): () => void {
  let over = false;
  let looking = false;
  const ignore = (): void => {};
  const isStopped = async (): Promise<boolean> => {
    const found = (await host.snapshot()).byPid.get(leader.pid);
    return found?.state === 'T' && found.identity.startTicks === leader.startTicks;
  };
  const look = async (): Promise<void> => {
    if (looking || over) return;
    looking = true;
    try {
      if (!(await isStopped())) return;
      await pause(RECHECK_MS);
      if (over || !(await isStopped())) return;
      // As Ctrl-Z would: without a shell to continue it (an orphaned group) the kernel ignores it.
      process.off('SIGTSTP', ignore);
      process.kill(process.pid, 'SIGTSTP');
    } finally {
      looking = false;
    }
  };
  const onChild = (): void => void look();
  const onContinue = (): void => {
    if (!over) process.on('SIGTSTP', ignore);
    void goOn(host, leader);
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

/** The shell has continued our own group; an interactive shell within has one of its own. */
async function goOn(
  host: Pick<Host, 'snapshot' | 'signal' | 'signalGroup'>,
  leader: Identity,
): Promise<void> {
  const { byPid } = await host.snapshot();
  const found = byPid.get(leader.pid);
  if (found?.state !== 'T') return;
  if (found.pgid === byPid.get(process.pid)?.pgid) await host.signal(leader, 'SIGCONT');
  else await host.signalGroup(found.pgid, leader, 'SIGCONT');
}
