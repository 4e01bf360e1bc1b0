/*
 * The files of this folder, which lets one command at a time start, stop or clean up a project.
 *
 *   lock         takes `.pids/lock`, waits for a living holder, breaks the lock of a dead one
 *   ticket       the lock file: its content, how it is placed, and how it is read
 *   break        removes the lock of a dead holder, and never a fresh one
 *   whose        which project a holder works for
 *   holder       the names of holders, and the error that names a holder
 *   for-start    takes the lock for a command that starts something
 *   for-stop     takes the lock for a stop: a start gives way or is ended
 *   for-restart  takes the lock for the moment of a restart by the supervisor
 */

import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { isoTime, monotonicMs } from '../processes/clock.ts';
import type { Identity } from '../processes/identity.ts';
import { sameIdentity } from '../processes/identity.ts';
import { unwritable } from '../project/atomic-file.ts';
import { requireHolder } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { realPath } from '../project/names.ts';
import { readFolderPlace, readPlace } from '../project/place/project-file.ts';
import { asideName, type RecordProblem } from '../project/record-problem.ts';
import { writableFolder } from '../project/records-folder.ts';
import { breakLock, removeOldRights } from './break.ts';
import {
  isYoung,
  type LockHolder,
  type LockTicket,
  lookAtTicket,
  newTicket,
  placeTicket,
  type TicketFolder,
} from './ticket.ts';
import { ticketFolder } from './whose.ts';

export interface LockRequest {
  /** The process that wants the lock. When that process is dead, the lock is stale. */
  readonly identity: Identity;
  /** The command that wants the lock, shown to a command that has to wait: `stop`. */
  readonly command: string;
  /** Tells whether exactly this process is alive, and not another process with its pid. A zombie is not alive. */
  readonly isAlive: (identity: Identity) => Promise<boolean>;
  /** The longest wait for a living holder, in ms. 0 tries once. */
  readonly waitMs: number;
  /** The longest pause between two tries, in ms; 100 by default. */
  readonly longestPauseMs?: number;
  /** The clock, in monotonic ms; the real one by default. */
  readonly nowMs?: () => number;
  /** How to wait; on the real clock by default. */
  readonly delay?: (ms: number) => Promise<void>;
}

export type LockOutcome =
  | {
      readonly kind: 'held';
      /** Removes the lock if it is still ours. Never throws, and may be called again. */
      readonly release: () => void;
      readonly problems: readonly RecordProblem[];
    }
  | {
      readonly kind: 'busy';
      /** Null where the content of the lock cannot be read yet. */
      readonly holder: LockHolder | null;
      readonly problems: readonly RecordProblem[];
    };

/**
 * Takes the project lock, `.pids/lock`: one command at a time may start, stop or clean up.
 *
 * The lock of a dead holder is broken without waiting. A file that is no lock is set aside, and `problems` says
 * where. A missing `.pids` is made again.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export async function acquireLock(
  folder: ProjectFolder,
  request: LockRequest,
): Promise<LockOutcome> {
  requireHolder(request.identity);
  const { nowMs = monotonicMs, longestPauseMs = 100 } = request;
  const wait = request.delay ?? delay;
  const path = join(folder.pidsDir, 'lock');
  const named = ticketFolder(folder);
  const ticket = newTicket({ ...request, at: isoTime(), ...(named && { folder: named }) });
  const problems: RecordProblem[] = [];
  const deadline = nowMs() + request.waitMs;
  for (let turn = 0, pauseMs = 5; ; turn += 1) {
    const attempt = await tryOnce(folder, path, ticket, request, problems);
    if (attempt.kind === 'held') return { ...attempt, problems };
    // The files changed because another process got further. Try again without a pause, but not for ever.
    if (attempt.kind === 'again' && turn < MAX_TURNS_WITHOUT_PAUSE) continue;
    const leftMs = deadline - nowMs();
    if (leftMs <= 0) {
      return { kind: 'busy', holder: attempt.kind === 'busy' ? attempt.holder : null, problems };
    }
    // Uneven pauses, so that waiting processes do not all try at the same moment.
    await wait(Math.min(leftMs, pauseMs * (0.5 + Math.random())));
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

const MAX_TURNS_WITHOUT_PAUSE = 50;

type Attempt =
  | { readonly kind: 'held'; readonly release: () => void }
  | { readonly kind: 'busy'; readonly holder: LockHolder | null }
  | { readonly kind: 'again' };

async function tryOnce(
  folder: ProjectFolder,
  path: string,
  ticket: LockTicket,
  request: LockRequest,
  problems: RecordProblem[],
): Promise<Attempt> {
  try {
    writableFolder(folder, null);
    const release = place(path, ticket);
    if (release) {
      removeOldRights(path);
      return { kind: 'held', release };
    }
    const seen = lookAtTicket(path);
    if (seen.kind === 'free' || seen.kind === 'changed') return { kind: 'again' };
    const copied = seen.kind === 'held' && isCopied(seen.holder, folder) ? seen.holder : null;
    const isAlive: LockRequest['isAlive'] = async (identity) =>
      !(copied && sameIdentity(copied.identity, identity)) && request.isAlive(identity);
    if (seen.kind === 'held' ? await isAlive(seen.holder.identity) : isYoung(seen.mtimeMs)) {
      return { kind: 'busy', holder: seen.kind === 'held' ? withoutToken(seen.holder) : null };
    }
    const moveTo = seen.kind === 'bad' ? asideName(path) : null;
    const outcome = await breakLock(path, seen.token, ticket, isAlive, moveTo);
    if (outcome.kind === 'wait') {
      return { kind: 'busy', holder: outcome.breaker && withoutToken(outcome.breaker) };
    }
    if (outcome.kind === 'moved' && seen.kind === 'bad') {
      const reason = `${seen.reason}; moved to ${outcome.path}`;
      problems.push({ path, service: null, kind: 'corrupt', reason });
    }
    return { kind: 'again' };
  } catch (error) {
    // Another process removed `.pids` between two of our steps.
    if (errnoOf(error) === 'ENOENT') return { kind: 'again' };
    throw unwritable(path, error);
  }
}

/**
 * Tells whether a lock came here with a copy of its folder. Its holder works in the original, so it holds nothing here,
 * and a stop here must not end it. A folder that was moved keeps its inode, or its old path is gone. A lock that was
 * written in this very records folder is no copy, because two projects may keep their records there.
 */
function isCopied({ folder: written }: LockHolder, { root, pidsDir }: ProjectFolder): boolean {
  if (!written || written.path === root || written.pidsDir === realPath(pidsDir)) return false;
  const [here, there] = [root, written.path].map((path) => readFolderPlace(path, readPlace()));
  if (!here) return false;
  const isOther = (one: TicketFolder): boolean =>
    one.device !== here.device || one.inode !== here.inode;
  if (there) return isOther(there);
  return written.device === here.device && written.inode !== here.inode;
}

/**
 * Places our ticket, through a descriptor of the folder. A supervisor lives on, so a lock that it could not remove from
 * a folder that was moved meanwhile would hold that project for ever. No other process may remove the lock while we
 * live, so it cannot change after the check.
 *
 * @returns the function that removes it; null where another ticket is there
 */
function place(path: string, ticket: LockTicket): (() => void) | null {
  const folder = openFolder(dirname(path));
  const held = folder === null ? path : `/proc/self/fd/${folder}/${basename(path)}`;
  let isHeld = false;
  const close = (): void => {
    isHeld = false;
    if (folder !== null) closeSync(folder);
  };
  try {
    isHeld = placeTicket(held, ticket);
  } finally {
    if (!isHeld) close();
  }
  const release = (): void => {
    if (!isHeld) return;
    try {
      const seen = lookAtTicket(held);
      if (seen.kind === 'held' && seen.token === ticket.token) rmSync(held, { force: true });
    } catch {
      // The lock stays, and is stale as soon as this process ends.
    }
    close();
  };
  return isHeld ? release : null;
}

/**
 * @returns a descriptor of the folder, which follows its moves; null where no path leads through one (proc_pid_fd(5))
 * @throws ENOENT
 */
function openFolder(path: string): number | null {
  if (process.platform !== 'linux') return null;
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    // It was moved at this moment. Its path would lead to it once it is back, and not when the lock is to be removed.
    if (errnoOf(error) === 'ENOENT') throw error;
    return null;
  }
}

function withoutToken({ identity, command, at, folder }: LockHolder): LockHolder {
  return { identity, command, at, ...(folder && { folder }) };
}
