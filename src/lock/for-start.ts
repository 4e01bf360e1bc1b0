import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { patienceWith } from '../processes/starvation.ts';
import { type ProjectFolder, projectFolder } from '../project/folder.ts';
import { recordsFoldersBeside } from '../project/place/beside.ts';
import { holdProject } from '../project/place/hold-folder.ts';
import { refuseShared, settleProject } from '../project/place/settle-project.ts';
import { prepareFolder } from '../project/records-folder.ts';
import { runningOtherManifest } from '../tracking/other-manifest.ts';
import { RESTART_LOCK_MS } from './for-restart.ts';
import { isAlive, lockedBy, STOP_COMMAND } from './holder.ts';
import { acquireLock } from './lock.ts';
import { type LockHolder, lookAtTicket } from './ticket.ts';

/** The time that another devctl command has to release the lock before a start gives up, in ms. */
const OTHER_COMMAND_MS = 5_000;

/** The project lock, held by a command that starts something. */
export interface StartLock {
  /** The folder, with the id of the project, which is certain from now on. It is held as long as the lock. */
  readonly folder: ProjectFolder;
  release(): void;
}

/**
 * Takes the project lock for a command that starts something, and makes the id of the project certain. Waits for another devctl command that holds it.
 *
 * @param command the name of this command in the lock file
 * @param warn told which command is waited for; a restart by the supervisor is too short to be mentioned
 * @param waitMs the time that the holder has to release the lock on a machine that is not busy, in ms
 * @throws DevctlError 'locked', 'records-unwritable', 'records-shared', 'manifest-conflict', 'unsafe'
 */
export async function takeLockToStart(
  host: Host,
  unheld: ProjectFolder,
  command: string,
  warn: (line: string) => void,
  waitMs = OTHER_COMMAND_MS,
): Promise<StartLock> {
  const { held, release } = holdProject(unheld);
  try {
    const lock = await lockHeld(host, held, command, warn, waitMs);
    return {
      folder: lock.folder,
      release() {
        lock.release();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function lockHeld(
  host: Host,
  folder: ProjectFolder,
  command: string,
  warn: (line: string) => void,
  waitMs: number,
): Promise<StartLock> {
  const identity = await host.self();
  prepareFolder(folder);
  const request = {
    identity,
    command,
    isAlive: (holder: Identity) => isAlive(host, holder),
  };
  let lock = await acquireLock(folder, { ...request, waitMs: RESTART_LOCK_MS });
  if (lock.kind === 'busy') {
    // Another project may hold it, and to wait for that one would be in vain.
    refuseShared(asItIsNow(folder));
    const { holder } = lock;
    warn(`waiting for devctl ${holder?.command ?? ''} (pid ${holder?.identity.pid ?? '?'})`);
    const patienceMs = patienceWith(holder && (await host.read(holder.identity.pid)), waitMs);
    lock = await acquireLock(folder, { ...request, waitMs: patienceMs });
  }
  if (lock.kind === 'busy') throw lockedBy(folder, lock.holder);
  const { release } = lock;
  try {
    const settled = settleProject(asItIsNow(folder));
    await letOthersFinish(host, settled, identity, waitMs);
    await refuseOtherManifest(host, settled);
    return { folder: settled, release };
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Waits while a command of another manifest of this folder holds the lock of its own records folder. Every start places
 * its lock and registers its records folder before it looks, so of two starts at least one sees the other. The younger
 * one gives way.
 *
 * @throws DevctlError 'locked'
 */
async function letOthersFinish(
  host: Host,
  folder: ProjectFolder,
  self: Identity,
  waitMs: number,
): Promise<void> {
  const deadline = host.nowMs() + waitMs;
  for (;;) {
    const holder = await holderBeside(host, folder, self);
    if (!holder) return;
    const isFirst = isOlder(holder.identity, self) && holder.command !== STOP_COMMAND;
    if (isFirst || host.nowMs() >= deadline) throw lockedBy(folder, holder);
    await host.delay(POLL_MS);
  }
}

/** The pause between two looks at the lock of another manifest, in ms. */
const POLL_MS = 50;

async function holderBeside(
  host: Host,
  folder: ProjectFolder,
  self: Identity,
): Promise<LockHolder | null> {
  for (const pidsDir of recordsFoldersBeside(folder)) {
    const seen = lookAtTicket(join(pidsDir, 'lock'));
    if (seen.kind !== 'held' || sameIdentity(seen.holder.identity, self)) continue;
    if (await isAlive(host, seen.holder.identity)) return seen.holder;
  }
  return null;
}

function isOlder(one: Identity, other: Identity): boolean {
  return (
    one.startTicks < other.startTicks ||
    (one.startTicks === other.startTicks && one.pid < other.pid)
  );
}

/** Reads once more how a folder stands to its records: another command may have held the lock meanwhile. */
function asItIsNow(folder: ProjectFolder): ProjectFolder {
  const now = projectFolder(folder.root, folder.pidsDir, folder.manifestName);
  return { ...folder, ...now, protection: folder.protection, identity: folder.identity };
}

/** @throws DevctlError 'manifest-conflict' while something of another manifest of this folder runs */
async function refuseOtherManifest(host: Host, folder: ProjectFolder): Promise<void> {
  const other = runningOtherManifest(folder, await host.snapshot());
  if (!other) return;
  const { id, manifest, pid } = other;
  const what = manifest ?? 'another manifest, which is gone';
  const named = manifest === null ? `--project ${id}` : `--config ${join(folder.root, manifest)}`;
  throw new DevctlError(
    'manifest-conflict',
    `${what} runs in ${folder.root} (pid ${pid}), and only one manifest of a folder can run`,
    { hint: `end it first: ${DEVCTL} stop ${named}; or give each manifest a folder of its own` },
  );
}
