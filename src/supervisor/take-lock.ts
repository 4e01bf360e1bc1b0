import { basename } from 'node:path';
import { DevctlError } from '../errors.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { type ProjectFolder, prepareFolder } from '../project/folder.ts';
import { acquireLock, type LockOutcome } from '../project/lock.ts';
import { findSupervisor } from './ensure.ts';
import { readProjectState } from './project-state.ts';

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
  readonly supervisors: readonly ProcessInfo[];
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
export async function takeLockToStop(quest: LockQuest): Promise<{ release(): void } | null> {
  const { host, folder, self, force, supervisors, warn } = quest;
  try {
    let lock = await attempt(quest, 0);
    if (lock.kind === 'held') return lock;
    // A start that is under way gives way to a stop: its supervisor drops what is not spawned yet.
    let mayEnd = true;
    if (supervisors.length > 0) {
      const socket = readProjectState(folder).supervisor?.socket ?? null;
      const found = await findSupervisor(folder, supervisors, socket, ABORT_MS);
      mayEnd = (await found?.client.abortStarts(ABORT_MS)) ?? false;
    }
    const suspended = isSuspended(await host.snapshot(), lock.holder?.identity);
    lock = await attempt(quest, force || suspended ? 0 : LOCK_WAIT_MS);
    if (lock.kind === 'held') return lock;
    const isStuck = lock.holder?.command === 'start' && (suspended || !mayEnd);
    if (!force && !isStuck) throw lockedBy(lock.holder, suspended);
    // As it is now: the waiting has taken seconds.
    const obstacle = lock.holder
      ? whyNotEnd(await host.snapshot(), self, lock.holder.identity)
      : 'it cannot be read';
    if (obstacle === null && lock.holder) {
      await endHolder(host, lock.holder.identity);
      lock = await attempt(quest, 0);
      if (lock.kind === 'held') return lock;
    }
    if (!force) throw lockedBy(lock.holder, suspended);
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

/** A lock file can be edited: only what runs devctl, and does not run us, is ended for it. */
function whyNotEnd(snapshot: Snapshot, self: Identity, holder: Identity): string | null {
  if (ancestry(self.pid, snapshot).some(({ identity }) => sameIdentity(identity, holder))) {
    return `its holder (pid ${holder.pid}) runs this command`;
  }
  const found = snapshot.byPid.get(holder.pid);
  if (!found || !livesIn(snapshot, holder)) return null;
  const argv = snapshot.details.argv(found) ?? [];
  return isDevctl(argv) ? null : `its holder (pid ${holder.pid}) is not devctl`;
}

/** Is it a devctl command, rather than something that only mentions one (`vim bin/devctl.js`)? */
export function isDevctl(argv: readonly string[]): boolean {
  const [program = '', script = ''] = argv;
  return /^(node|devctl)$/.test(basename(program)) && /\/devctl(\.js)?$/.test(script);
}

/** Who is at work, and what to do. */
export function lockedBy(
  holder: { readonly identity: Identity; readonly command: string } | null,
  suspended = false,
): DevctlError {
  const who = holder ? `devctl ${holder.command} (pid ${holder.identity.pid})` : 'another devctl';
  const what = suspended ? 'was suspended while at work' : 'is at work';
  const wait = suspended ? `let it go on (kill -CONT ${holder?.identity.pid})` : 'wait for it';
  return new DevctlError('locked', `${who} ${what} in this project`, {
    hint: `${wait}, or end it and everything else with: devctl stop --force`,
  });
}

/** Ctrl-Z, SIGSTOP, a debugger: it holds what it has until somebody lets it go on. */
function isSuspended(snapshot: Snapshot, holder: Identity | undefined): boolean {
  if (!holder || !livesIn(snapshot, holder)) return false;
  return /^[Tt]$/.test(snapshot.byPid.get(holder.pid)?.state ?? '');
}

export async function isAlive(host: Host, identity: Identity): Promise<boolean> {
  return livesIn(await host.snapshot(), identity);
}

async function endHolder(host: Host, holder: Identity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await host.signal(holder, signal);
    // One that is suspended has the signal pending until it runs again.
    await host.signal(holder, 'SIGCONT');
    const deadline = host.nowMs() + END_HOLDER_MS;
    while (host.nowMs() < deadline) {
      if (!(await isAlive(host, holder))) return;
      await host.delay(10);
    }
  }
}
