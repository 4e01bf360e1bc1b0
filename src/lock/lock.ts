import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { isoTime, monotonicMs } from '../processes/clock.ts';
import type { Identity } from '../processes/identity.ts';
import { unwritable } from '../project/atomic-file.ts';
import { requireHolder } from '../project/field-checks.ts';
import { type ProjectFolder, writableFolder } from '../project/folder.ts';
import { asideName, type RecordProblem } from '../project/record-problem.ts';
import { breakLock, removeOldRights } from './break.ts';
import {
  isYoung,
  type LockHolder,
  type LockTicket,
  lookAtTicket,
  newTicket,
  placeTicket,
} from './ticket.ts';

export interface LockRequest {
  /** The process that wants the lock: when it is dead, the lock is stale. */
  readonly identity: Identity;
  /** What it is for, shown to whoever has to wait: `devctl stop`. */
  readonly command: string;
  /** Is exactly this process, not another one with its pid, alive? A zombie is not. */
  readonly isAlive: (identity: Identity) => Promise<boolean>;
  /** How long to wait for a living holder, in ms; 0 tries once. */
  readonly waitMs: number;
  /** Between two tries, in ms; 100 by default. */
  readonly longestPauseMs?: number;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
  readonly delay?: (ms: number) => Promise<void>;
}

export type LockOutcome =
  | {
      readonly kind: 'held';
      /** Gives the lock back, if it is still ours. Never throws, harmless when called again. */
      readonly release: () => void;
      readonly problems: readonly RecordProblem[];
    }
  | {
      readonly kind: 'busy';
      /** Null where the lock cannot be read yet. */
      readonly holder: LockHolder | null;
      readonly problems: readonly RecordProblem[];
    };

/**
 * Takes the project lock, `.pids/lock`: one command at a time may start, stop or clean up.
 *
 * The lock of a dead holder is broken without waiting. What lies there and is no lock is set aside
 * (`problems` says where). Where somebody removed `.pids`, it is made again.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export async function acquireLock(
  folder: ProjectFolder,
  request: LockRequest,
): Promise<LockOutcome> {
  requireHolder(request.identity);
  const { nowMs = monotonicMs, delay = sleep, longestPauseMs = 100 } = request;
  const path = join(folder.pidsDir, 'lock');
  const ticket = newTicket({ ...request, at: isoTime() });
  const problems: RecordProblem[] = [];
  const deadline = nowMs() + request.waitMs;
  for (let turn = 0, pauseMs = 5; ; turn += 1) {
    const attempt = await tryOnce(folder, path, ticket, request, problems);
    if (attempt.kind === 'held') {
      return { kind: 'held', release: () => release(path, ticket), problems };
    }
    // Somebody else got further: that is no reason to sleep, but no reason to spin for ever either.
    if (attempt.kind === 'again' && turn < MAX_TURNS_WITHOUT_PAUSE) continue;
    const leftMs = deadline - nowMs();
    if (leftMs <= 0) {
      return { kind: 'busy', holder: attempt.kind === 'busy' ? attempt.holder : null, problems };
    }
    // Uneven pauses, so that those who wait do not all come back at the same moment.
    await delay(Math.min(leftMs, pauseMs * (0.5 + Math.random())));
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

const MAX_TURNS_WITHOUT_PAUSE = 50;

type Attempt =
  | { readonly kind: 'held' }
  | { readonly kind: 'busy'; readonly holder: LockHolder | null }
  | { readonly kind: 'again' };

async function tryOnce(
  folder: ProjectFolder,
  path: string,
  ticket: LockTicket,
  { isAlive }: LockRequest,
  problems: RecordProblem[],
): Promise<Attempt> {
  try {
    writableFolder(folder, null);
    if (placeTicket(path, ticket)) {
      removeOldRights(path);
      return { kind: 'held' };
    }
    const seen = lookAtTicket(path);
    if (seen.kind === 'free' || seen.kind === 'changed') return { kind: 'again' };
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
    // `.pids` was removed between two of our steps.
    if (errnoOf(error) === 'ENOENT') return { kind: 'again' };
    throw unwritable(path, error);
  }
}

/** Nobody but us may remove our lock while we live, so nothing happens between look and removal. */
function release(path: string, ticket: LockTicket): void {
  try {
    const seen = lookAtTicket(path);
    if (seen.kind === 'held' && seen.token === ticket.token) rmSync(path, { force: true });
  } catch {
    // It stays, and is stale as soon as we end.
  }
}

function withoutToken({ identity, command, at }: LockHolder): LockHolder {
  return { identity, command, at };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
