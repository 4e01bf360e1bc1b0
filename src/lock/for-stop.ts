import { ABORT_AGAIN_MS, ABORT_STARTS_MS } from '../client/client.ts';
import { findSupervisor, livingSupervisors } from '../client/connect.ts';
import { DevctlError } from '../errors.ts';
import { ancestry } from '../ownership/ancestry.ts';
import { isDevctl } from '../ownership/devctl-argv.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { settledSnapshot } from '../processes/settled-snapshot.ts';
import { livesIn } from '../processes/snapshot.ts';
import { isStarvedOfCpu, isSuspended } from '../processes/starvation.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { prepareFolder } from '../project/records-folder.ts';
import { RESTART_LOCK_MS } from './for-restart.ts';
import {
  isAlive,
  lockedBy,
  RUN_COMMAND,
  START_COMMAND,
  STOP_COMMAND,
  TAKE_OVER_SIGNAL,
} from './holder.ts';
import { acquireLock, type LockOutcome } from './lock.ts';
import type { LockHolder } from './ticket.ts';
import { projectNameOf, worksFor } from './whose.ts';

/** The time that another devctl command has to release the lock before a stop gives up, in ms. */
const HOLDER_MS = 2_000;

/** The same while a `devctl run` holds the lock: many of them may begin or end at once, each for a moment. */
const ONE_OFF_HOLDER_MS = 20_000;

/** The time after which a stop ends a start that keeps the lock: shorter than HOLDER_MS, so that the stop wins. */
const START_HOLDER_MS = 1_000;

/** The time that a holder has to end after a signal: on an overloaded machine it may need a second for that. */
const HOLDER_END_MS = 1_000;

/** The same for a holder that the kernel has given no CPU time. */
const STARVED_HOLDER_END_MS = 5_000;
const HOLDER_END_POLL_MS = 10;

/** The pause between two looks at a starved holder, in ms: longer, because each look takes CPU time from the holder. */
const STARVED_HOLDER_POLL_MS = 100;

/** The longest wait for a child between fork and exec, in ms. */
const JUST_FORKED_MS = 1_000;
const JUST_FORKED_POLL_MS = 5;

/** The longest pause between two tries. A start that waits for the same lock pauses for longer, so the stop wins. */
const LONGEST_LOCK_PAUSE_MS = 10;

export interface StopLockRequest {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly force: boolean;
  /** Told when the stop goes on without the lock, and why. */
  readonly warn: (problem: string) => void;
}

/**
 * Takes the project lock for a stop.
 *
 * A start that holds the lock gives way. The stop ends a start that cannot give way, because it is suspended or
 * because its supervisor does not answer. With force, the stop ends any holder, and goes on without the lock where
 * the folder cannot be written. A holder that works for another project, whose records lie in the same folder, is never
 * ended: the stop waits for it, and with force goes on without the lock.
 *
 * @returns null: the stop goes on without the lock
 * @throws DevctlError 'locked' when another command keeps the lock, 'unsafe'
 */
export async function takeLockToStop(
  request: StopLockRequest,
): Promise<{ release(): void } | null> {
  const { force, warn } = request;
  try {
    return force ? await takeByForce(request) : await takePatiently(request);
  } catch (error) {
    const code = error instanceof DevctlError ? error.code : null;
    // Without a disk to write to nothing can be locked, but everything can be stopped.
    if (code !== 'records-unwritable' && !(force && code === 'unsafe')) throw error;
    warn(`without the lock: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

async function takeByForce(request: StopLockRequest): Promise<{ release(): void } | null> {
  let lock = await attempt(request, RESTART_LOCK_MS);
  if (lock.kind === 'held') return lock;
  const obstacle = await whyNotEnd(request, lock.holder);
  if (obstacle === null) lock = await takeOver(request, lock);
  if (lock.kind === 'held') return lock;
  request.warn(`the lock was ignored: ${obstacle ?? 'it was taken again at once'}`);
  return null;
}

/** @throws DevctlError 'locked' when another command keeps the lock */
async function takePatiently(request: StopLockRequest): Promise<{ release(): void }> {
  const { host, folder } = request;
  const beganMs = host.nowMs();
  const isPatientWith = (holder: LockHolder | null): boolean => {
    const waitMs = holder?.command === RUN_COMMAND ? ONE_OFF_HOLDER_MS : HOLDER_MS;
    return host.nowMs() - beganMs < waitMs;
  };
  let lock = await attempt(request, 0);
  let hasTakenOver = false;
  // One request is not enough: the holder may not have asked its supervisor yet, or may have none yet. And when it
  // releases the lock, the next start may take it before we do.
  while (lock.kind === 'busy' && isPatientWith(lock.holder)) {
    const { holder } = lock;
    const suspended = holder !== null && isSuspended(holder.identity, await host.snapshot());
    const isOurs = holder === null || worksFor(folder, holder);
    if (isOurs && !suspended && holder?.command !== RUN_COMMAND) await abortStarts(request);
    lock = await attempt(request, suspended ? 0 : ABORT_AGAIN_MS);
    if (lock.kind === 'held') break;
    const isStart = isOwnStart(folder, lock.holder);
    if (suspended && !isStart) throw lockedBy(folder, lock.holder, suspended);
    if (isStart && (suspended || host.nowMs() - beganMs >= START_HOLDER_MS)) {
      hasTakenOver = true;
      lock = await takeOver(request, lock);
    }
  }
  // A single snapshot can take longer than the whole wait (`ps` on a busy machine).
  if (lock.kind === 'busy' && !hasTakenOver) {
    if (isOwnStart(folder, lock.holder)) lock = await takeOver(request, lock);
  }
  if (lock.kind === 'held') return lock;
  throw lockedBy(folder, lock.holder);
}

function isOwnStart(folder: ProjectFolder, holder: LockHolder | null): boolean {
  return holder?.command === START_COMMAND && worksFor(folder, holder);
}

/** Asks the supervisor to drop the services that a start in progress has not spawned yet. */
async function abortStarts({ host, folder }: StopLockRequest): Promise<void> {
  const { running, socket } = await livingSupervisors(host, folder);
  if (running.length === 0) return;
  const found = await findSupervisor(folder, running, socket, ABORT_STARTS_MS);
  await found?.client.abortStarts(ABORT_STARTS_MS);
}

type Busy = Extract<LockOutcome, { kind: 'busy' }>;

/**
 * Ends the holder of the lock. A holder that releases the lock by itself meanwhile is left alone, because it has
 * its result and is about to print it.
 *
 * @returns the lock; still busy when the holder may not be ended, or when another command took the lock first
 */
async function takeOver(request: StopLockRequest, busy: Busy): Promise<LockOutcome> {
  const { host } = request;
  const { holder } = busy;
  if (holder === null || (await whyNotEnd(request, holder)) !== null) return busy;
  let lock: LockOutcome = busy;
  for (const signal of [TAKE_OVER_SIGNAL, 'SIGKILL'] as const) {
    if (signal === 'SIGKILL') await awaitJustForked(host, holder.identity);
    await host.signal(holder.identity, signal);
    // A suspended process keeps the signal pending until it runs again.
    await host.signal(holder.identity, 'SIGCONT');
    const askedMs = host.nowMs();
    const asked = await host.snapshot();
    let pollMs = HOLDER_END_POLL_MS;
    const isWorthWaiting = async (): Promise<boolean> => {
      const passedMs = host.nowMs() - askedMs;
      if (passedMs < HOLDER_END_MS) return true;
      if (passedMs >= STARVED_HOLDER_END_MS) return false;
      pollMs = STARVED_HOLDER_POLL_MS;
      return isStarvedOfCpu(holder.identity, asked, await host.snapshot());
    };
    do {
      lock = await attempt(request, pollMs);
      if (lock.kind === 'held') return lock;
      if (!lock.holder || !sameIdentity(lock.holder.identity, holder.identity)) return lock;
    } while (await isWorthWaiting());
  }
  return lock;
}

/**
 * Suspends a process, and waits until none of its children is between fork and exec.
 *
 * Until its execve(2) a child shows the argv of its parent (vfork(2)). A start that is killed then would leave a
 * guard behind that no snapshot could tell from the start itself.
 */
export async function awaitJustForked(host: Host, parent: Identity): Promise<void> {
  await host.signal(parent, 'SIGSTOP');
  const deadline = host.nowMs() + JUST_FORKED_MS;
  while (host.nowMs() < deadline) {
    const { byPid, byParent, details } = await settledSnapshot(host);
    const holder = byPid.get(parent.pid);
    const argv = holder && details.argv(holder)?.join('\0');
    const children = byParent.get(parent.pid) ?? [];
    if (!children.some((child) => details.argv(child)?.join('\0') === argv)) return;
    await host.delay(JUST_FORKED_POLL_MS);
  }
}

function attempt(
  { host, folder, self, force }: StopLockRequest,
  waitMs: number,
): Promise<LockOutcome> {
  prepareFolder(folder);
  return acquireLock(folder, {
    identity: self,
    command: force ? 'stop --force' : STOP_COMMAND,
    isAlive: (holder) => isAlive(host, holder),
    waitMs,
    longestPauseMs: LONGEST_LOCK_PAUSE_MS,
  });
}

/**
 * Why the holder must not be ended; null: it may be. A lock file can be edited, so only a process that runs devctl
 * and is no ancestor of this command is ended, and only where it says that it works for our project.
 */
async function whyNotEnd(
  { host, folder, self }: StopLockRequest,
  holder: LockHolder | null,
): Promise<string | null> {
  if (holder === null) return 'it cannot be read';
  if (!worksFor(folder, holder)) {
    const other = projectNameOf(holder) ?? 'a project that it does not name';
    return `its holder, devctl ${holder.command} (pid ${holder.identity.pid}), works for ${other}`;
  }
  // A new snapshot, because time has passed while we waited.
  const snapshot = await host.snapshot();
  const { identity } = holder;
  if (ancestry(self.pid, snapshot).some((above) => sameIdentity(above.identity, identity))) {
    return `its holder (pid ${identity.pid}) runs this command`;
  }
  const found = snapshot.byPid.get(identity.pid);
  if (!found || !livesIn(snapshot, identity)) return null;
  const argv = snapshot.details.argv(found) ?? [];
  return isDevctl(argv) ? null : `its holder (pid ${identity.pid}) is not devctl`;
}
