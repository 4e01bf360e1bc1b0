import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { isAlive } from './holder.ts';
import { acquireLock } from './lock.ts';

/** What whoever meets the lock of a supervisor that starts a service again is told that it is for. */
const RESTART_COMMAND = 'supervisor, at a restart';

/**
 * Takes the project lock for the moment of a restart.
 *
 * @returns what gives it back; null while another devctl holds it
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
