import { setTimeout as delay } from 'node:timers/promises';
import { GUARD_NAME } from '../ownership/vetoes.ts';
import { monotonicMs } from '../processes/clock.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProcessTable } from '../processes/table.ts';

/** Longest wait for the guard: the time in which its native calls load, and some more. */
const GUARD_MS = 5_000;
const POLL_MS = 2;

/** A guard at work; `late`: the process that was to become one, and has not in time. */
export type AwaitedGuard =
  | { readonly guard: Identity }
  | { readonly guard: null; readonly why: string; readonly late: Identity | null };

/**
 * Waits until our parent has become `sleep`: it does that as a subreaper only, or it ends.
 *
 * @param pid the number of our parent when we were born
 */
export async function awaitGuard(table: ProcessTable, pid: number): Promise<AwaitedGuard> {
  const first = await table.read(pid);
  const deadline = monotonicMs() + GUARD_MS;
  for (;;) {
    const parent = await table.read(pid);
    // Once the guard is gone, another process is our parent, and one more may have its number.
    const isSame = first && parent && sameIdentity(first.identity, parent.identity);
    if (!isSame || process.ppid !== pid) return { guard: null, why: 'it was ended', late: null };
    if (parent.name === GUARD_NAME) return { guard: parent.identity };
    if (monotonicMs() >= deadline) {
      const why = `it has not answered within ${GUARD_MS / 1_000} s`;
      return { guard: null, why, late: parent.identity };
    }
    await delay(POLL_MS);
  }
}
