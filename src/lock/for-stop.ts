import { findSupervisor, livingSupervisors } from '../client/connect.ts';
import { DevctlError } from '../errors.ts';
import { isDevctl } from '../ownership/devctl-argv.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { settledSnapshot } from '../processes/settled-snapshot.ts';
import { livesIn } from '../processes/snapshot.ts';
import { isStarvedOfCpu, isSuspended } from '../processes/starvation.ts';
import { type ProjectFolder, prepareFolder } from '../project/folder.ts';
import { isAlive, lockedBy, RUN_COMMAND, START_COMMAND, TAKE_OVER_SIGNAL } from './holder.ts';
import { acquireLock, type LockOutcome } from './lock.ts';
import type { LockHolder } from './ticket.ts';

/** How long a supervisor may take to drop the starts that hold the lock. */
const ABORT_MS = 500;

/** How long a stop waits for another devctl command to let go. */
const LOCK_WAIT_MS = 2_000;

/** Of many `devctl run` that begin or end at once each holds it for a moment: they are waited for longer. */
const RUNS_WAIT_MS = 20_000;
const ABORT_EVERY_MS = 100;

/** A supervisor that starts a service again holds it for less than that: no need to break in on it. */
const RESTART_MS = 200;

/** After that long a start that does not give way is ended: a stop is to win within LOCK_WAIT_MS. */
const START_PATIENCE_MS = 1_000;

/** On a machine on its knees a second is what a process may need to say a word and end. */
const END_HOLDER_MS = 1_000;

/** One that has only not been let run has longer. */
const END_STARVED_HOLDER_MS = 5_000;

/** A newborn that waits for the processor for longer is waited for no more. */
const NEWBORN_MS = 1_000;
const NEWBORN_PAUSE_MS = 5;

export interface StopLockRequest {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly force: boolean;
  /** Told when the stop goes on without the lock, and why. */
  readonly warn: (problem: string) => void;
}

/**
 * Takes the project lock for a stop. A start that holds it gives way, and one that cannot (it is
 * suspended, or its supervisor does not answer) is ended; with force any holder is, and a folder that
 * cannot be written is no obstacle.
 *
 * @returns null: go on without it
 * @throws DevctlError 'locked' when another command holds on to it, 'unsafe'
 */
export async function takeLockToStop(quest: StopLockRequest): Promise<{ release(): void } | null> {
  const { host, force, warn } = quest;
  try {
    const beganMs = host.nowMs();
    const isPatient = (holder: LockHolder | null): boolean => {
      const waitMs = holder?.command === RUN_COMMAND ? RUNS_WAIT_MS : LOCK_WAIT_MS;
      return host.nowMs() - beganMs < waitMs;
    };
    const patience = host.nowMs() + START_PATIENCE_MS;
    let lock = await attempt(quest, force ? RESTART_MS : 0);
    let hasTakenOver = false;
    // Again and again: the holder may not have asked its supervisor yet, or not have one yet, and when
    // it lets go, the next start may be quicker than we are.
    while (lock.kind === 'busy' && !force && isPatient(lock.holder)) {
      const { holder } = lock;
      const suspended = holder !== null && isSuspended(holder.identity, await host.snapshot());
      if (!suspended && holder?.command !== RUN_COMMAND) await abortStarts(quest);
      lock = await attempt(quest, suspended ? 0 : ABORT_EVERY_MS);
      if (lock.kind === 'held') break;
      const isStart = lock.holder?.command === START_COMMAND;
      if (suspended && !isStart) throw lockedBy(lock.holder, suspended);
      if (isStart && (suspended || host.nowMs() >= patience)) {
        hasTakenOver = true;
        lock = await takeOver(quest, lock);
      }
    }
    // One look can take longer than all of the waiting was to (`ps` on a busy machine).
    if (lock.kind === 'busy' && !force && !hasTakenOver) {
      if (lock.holder?.command === START_COMMAND) lock = await takeOver(quest, lock);
    }
    if (lock.kind === 'held') return lock;
    if (!force) throw lockedBy(lock.holder);
    const obstacle = await whyNotEnd(quest, lock.holder);
    if (obstacle === null) lock = await takeOver(quest, lock);
    if (lock.kind === 'held') return lock;
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

/** A start that is under way gives way to a stop: its supervisor drops what is not spawned yet. */
async function abortStarts({ host, folder }: StopLockRequest): Promise<void> {
  const { running, socket } = await livingSupervisors(host, folder);
  if (running.length === 0) return;
  const found = await findSupervisor(folder, running, socket, ABORT_MS);
  await found?.client.abortStarts(ABORT_MS);
}

type Busy = Extract<LockOutcome, { kind: 'busy' }>;

/**
 * Ends the holder of the lock, unless it lets go by itself meanwhile: then it has its result, and is
 * about to tell it.
 *
 * @returns what became of the lock; still busy when the holder may not be ended, or another one was
 *   quicker than we are
 */
async function takeOver(quest: StopLockRequest, busy: Busy): Promise<LockOutcome> {
  const { host } = quest;
  const { holder } = busy;
  if (holder === null || (await whyNotEnd(quest, holder)) !== null) return busy;
  let lock: LockOutcome = busy;
  for (const signal of [TAKE_OVER_SIGNAL, 'SIGKILL'] as const) {
    if (signal === 'SIGKILL') await awaitJustForked(host, holder.identity);
    await host.signal(holder.identity, signal);
    // One that is suspended has the signal pending until it runs again.
    await host.signal(holder.identity, 'SIGCONT');
    const askedMs = host.nowMs();
    const asked = await host.snapshot();
    const isStillAwaited = async (): Promise<boolean> => {
      const passedMs = host.nowMs() - askedMs;
      if (passedMs < END_HOLDER_MS) return true;
      if (passedMs >= END_STARVED_HOLDER_MS) return false;
      return isStarvedOfCpu(holder.identity, asked, await host.snapshot());
    };
    do {
      lock = await attempt(quest, 10);
      if (lock.kind === 'held') return lock;
      if (!lock.holder || !sameIdentity(lock.holder.identity, holder.identity)) return lock;
    } while (await isStillAwaited());
  }
  return lock;
}

/**
 * Until its own execve(2) a child shows what its parent does (vfork(2)). Killed now, a start would leave a guard
 * that nobody could tell from it. So it stands still until there is no such child.
 */
export async function awaitJustForked(host: Host, parent: Identity): Promise<void> {
  await host.signal(parent, 'SIGSTOP');
  const deadline = host.nowMs() + NEWBORN_MS;
  while (host.nowMs() < deadline) {
    const { byPid, byParent, details } = await settledSnapshot(host);
    const holder = byPid.get(parent.pid);
    const like = holder && details.argv(holder)?.join('\0');
    const children = byParent.get(parent.pid) ?? [];
    if (!children.some((child) => details.argv(child)?.join('\0') === like)) return;
    await host.delay(NEWBORN_PAUSE_MS);
  }
}

function attempt(
  { host, folder, self, force }: StopLockRequest,
  waitMs: number,
): Promise<LockOutcome> {
  prepareFolder(folder);
  return acquireLock(folder, {
    identity: self,
    command: force ? 'stop --force' : 'stop',
    isAlive: (holder) => isAlive(host, holder),
    waitMs,
    // A start that waits for the same lock has longer pauses.
    longestPauseMs: 10,
  });
}

/** A lock file can be edited: only what runs devctl, and does not run us, is ended for it. */
async function whyNotEnd(
  { host, self }: StopLockRequest,
  holder: LockHolder | null,
): Promise<string | null> {
  if (holder === null) return 'it cannot be read';
  // As it is now: the waiting has taken time.
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
