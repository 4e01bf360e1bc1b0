import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { isAlive } from './holder.ts';
import { acquireLock } from './lock.ts';

/** The name of the supervisor in the lock file, while it restarts a service. */
const RESTART_COMMAND = 'supervisor, at a restart';

/** The longest time for which a supervisor holds the lock to restart a service, in ms. */
export const RESTART_LOCK_MS = 200;

/**
 * Takes the project lock for the moment of a restart.
 *
 * @returns the function that releases the lock; null while another devctl holds it
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export async function takeLockToRestart(
  host: Host,
  folder: ProjectFolder,
  self: Identity,
): Promise<(() => void) | null> {
  const lock = await acquireLock(folder, {
    identity: self,
    command: RESTART_COMMAND,
    isAlive: (holder) => isAlive(host, holder),
    waitMs: 0,
  });
  return lock.kind === 'held' ? lock.release : null;
}
