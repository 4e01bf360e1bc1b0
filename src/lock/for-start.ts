import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import { type ProjectFolder, prepareFolder } from '../project/folder.ts';
import { isAlive, lockedBy } from './holder.ts';
import { acquireLock } from './lock.ts';

/** A supervisor that starts a service again holds the lock for less than that: nothing to tell of. */
const RESTART_MS = 200;

/** How long a start waits for another devctl command to be done. */
const LOCK_WAIT_MS = 5_000;

/**
 * Takes the project lock for a command that starts something; another devctl is waited for.
 *
 * @param command what the lock says of us to others
 * @param waitMs how long it is waited for, in ms
 * @throws DevctlError 'locked', 'records-unwritable', 'unsafe'
 */
export async function takeLockToStart(
  host: Host,
  folder: ProjectFolder,
  command: string,
  warn: (line: string) => void,
  waitMs = LOCK_WAIT_MS,
): Promise<{ release(): void }> {
  const identity = await host.self();
  prepareFolder(folder);
  const request = {
    identity,
    command,
    isAlive: (holder: Identity) => isAlive(host, holder),
  };
  let lock = await acquireLock(folder, { ...request, waitMs: RESTART_MS });
  if (lock.kind === 'busy') {
    const { holder } = lock;
    warn(`waiting for devctl ${holder?.command ?? ''} (pid ${holder?.identity.pid ?? '?'})`);
    lock = await acquireLock(folder, { ...request, waitMs });
  }
  if (lock.kind === 'busy') throw lockedBy(lock.holder);
  return lock;
}
