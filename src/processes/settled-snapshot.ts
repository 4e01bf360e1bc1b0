import type { Host } from './host.ts';
import { type Identity, identityKey } from './identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from './snapshot.ts';

/** Longest time for an execve(2). A process without arguments and environment for longer simply has none. */
const FACELESS_MS = 2_000;
/** Longest wait for a settled table. Where programs begin all the time, some process is always inside execve(2). */
const LONGEST_MS = 5_000;
const PAUSE_MS = 5;

/**
 * Finds the processes that show neither environment nor arguments. In the middle of execve(2) the old ones are gone, and
 * the new ones not there yet (proc_pid_environ(5)). That takes microseconds, but longer where the process has to
 * wait for the processor meanwhile. Nobody can tell before the end of execve(2) whose process it is.
 */
export function midExecIn({ byPid, details }: Snapshot): readonly ProcessInfo[] {
  return [...byPid.values()].filter(
    (process) =>
      !process.kernelThread &&
      !isGone(process) &&
      details.environ(process) === '' &&
      details.argv(process)?.length === 0,
  );
}

/** Takes a snapshot at a moment when no process is inside execve(2): a proof that nothing is left needs it. */
export async function settledSnapshot(
  host: Pick<Host, 'snapshot' | 'nowMs' | 'delay'>,
): Promise<Snapshot> {
  const beganMs = host.nowMs();
  const since = new Map<string, number>();
  const isBecoming = (identity: Identity, nowMs: number): boolean => {
    const key = identityKey(identity);
    const first = since.get(key) ?? nowMs;
    since.set(key, first);
    return nowMs - first < FACELESS_MS;
  };
  for (;;) {
    const snapshot = await host.snapshot();
    const nowMs = host.nowMs();
    const becoming = midExecIn(snapshot).filter(({ identity }) => isBecoming(identity, nowMs));
    if (becoming.length === 0 || nowMs - beganMs >= LONGEST_MS) return snapshot;
    await host.delay(PAUSE_MS);
  }
}
