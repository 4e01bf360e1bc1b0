import { DevctlError } from '../errors.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { type ProjectFolder, prepareFolder } from '../project/folder.ts';
import { acquireLock, type LockOutcome } from '../project/lock.ts';
import { findSupervisor } from './ensure.ts';

/** How long a supervisor may take to drop the starts that hold the lock. */
const ABORT_MS = 500;
/** How long a stop waits for another devctl command to let go. */
const LOCK_WAIT_MS = 2_000;
const END_HOLDER_MS = 300;

export interface LockQuest {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly force: boolean;
  readonly snapshot: Snapshot;
  readonly supervisors: readonly ProcessInfo[];
  /** Told when the stop goes on without the lock, and why. */
  readonly warn: (problem: string) => void;
}

/**
 * Takes the project lock for a stop. A start that holds it gives way; with force the holder is ended,
 * and a folder that cannot be written is no obstacle.
 *
 * @returns null: go on without it
 * @throws DevctlError 'locked' when another command holds on to it, 'unsafe'
 */
export async function takeLockToStop(quest: LockQuest): Promise<{ release(): void } | null> {
  const { host, folder, force, supervisors, warn } = quest;
  try {
    let lock = await attempt(quest, 0);
    if (lock.kind === 'held') return lock;
    // A start that is under way gives way to a stop: its supervisor drops what is not spawned yet.
    if (supervisors.length > 0) {
      const found = await findSupervisor(folder, null, ABORT_MS);
      await found?.client.abortStarts(ABORT_MS);
    }
    lock = await attempt(quest, force ? 0 : LOCK_WAIT_MS);
    if (lock.kind === 'held') return lock;
    if (!force) throw lockedBy(lock.holder);
    const obstacle = lock.holder ? whyNotEnd(quest, lock.holder.identity) : 'it cannot be read';
    if (obstacle === null && lock.holder) {
      await endHolder(host, lock.holder.identity);
      lock = await attempt(quest, 0);
      if (lock.kind === 'held') return lock;
    }
    warn(`the lock was ignored: ${obstacle ?? 'it was taken again at once'}`);
    return null;
  } catch (error) {
    const code = error instanceof DevctlError ? error.code : null;
    // Without a disk to write to, nothing can be locked, but everything can be stopped.
    if (code !== 'records-unwritable' && !(force && code === 'unsafe')) throw error;
    warn(`without the lock: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

function attempt({ host, folder, self, force }: LockQuest, waitMs: number): Promise<LockOutcome> {
  prepareFolder(folder);
  return acquireLock(folder, {
    identity: self,
    command: force ? 'stop --force' : 'stop',
    isAlive: (holder) => isAlive(host, holder),
    waitMs,
  });
}

/** A lock file can be edited: only what calls itself devctl, and does not run us, is ended for it. */
function whyNotEnd({ snapshot, self }: LockQuest, holder: Identity): string | null {
  if (ancestry(self.pid, snapshot).some(({ identity }) => sameIdentity(identity, holder))) {
    return `its holder (pid ${holder.pid}) runs this command`;
  }
  const found = snapshot.byPid.get(holder.pid);
  if (!found || !sameIdentity(found.identity, holder)) return null;
  const argv = snapshot.details.argv(found) ?? [];
  return argv.slice(0, 2).some((word) => /devctl(\.[cm]?js)?$/.test(word))
    ? null
    : `its holder (pid ${holder.pid}) is not devctl`;
}

/** Who is at work, and what to do. */
export function lockedBy(
  holder: { readonly identity: Identity; readonly command: string } | null,
): DevctlError {
  const who = holder ? `devctl ${holder.command} (pid ${holder.identity.pid})` : 'another devctl';
  return new DevctlError('locked', `${who} is at work in this project`, {
    hint: 'wait for it, or end it and everything else with: devctl stop --force',
  });
}

export async function isAlive(host: Host, identity: Identity): Promise<boolean> {
  const found = (await host.snapshot()).byPid.get(identity.pid);
  return found !== undefined && sameIdentity(found.identity, identity) && !isGone(found);
}

async function endHolder(host: Host, holder: Identity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await host.signal(holder, signal);
    const deadline = host.nowMs() + END_HOLDER_MS;
    while (host.nowMs() < deadline) {
      if (!(await isAlive(host, holder))) return;
      await host.delay(10);
    }
  }
}
