import type { Host } from './host.ts';
import { type Identity, identityKey } from './identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from './snapshot.ts';

/** How long one may take for its execve(2); without environment and arguments for longer, it is simply so. */
const FACELESS_MS = 2_000;
/** Where programs begin all the time there may always be one; then what was seen has to do. */
const LONGEST_MS = 5_000;
const PAUSE_MS = 5;

/**
 * Who shows neither environment nor arguments: in the middle of execve(2) the old ones are gone, and the new
 * ones not there yet (proc_pid_environ(5)). That takes microseconds, and as long as it likes where it has to
 * wait for the processor meanwhile. What it is cannot be told before.
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

/** The process table at a moment when everybody shows what it is: what a proof that nobody is left needs. */
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
