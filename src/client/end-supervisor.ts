import type { Host, SignalName } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { livesIn, type ProcessInfo } from '../processes/snapshot.ts';

const TERM_MS = 1_000;
/** Only what is stuck in the kernel takes long, and on a busy machine whoever has to die first gets his turn. */
const KILL_MS = 5_000;
const POLL_MS = 10;

/**
 * Ends the supervisors of a project, after everything below them is gone: a subreaper that dies first
 * would hand its orphans on to process 1.
 *
 * @param self  a supervisor that carries out the stop itself is left alone
 */
export async function endSupervisors(
  host: Host,
  supervisors: readonly ProcessInfo[],
  self: Identity,
): Promise<void> {
  const targets = supervisors
    .map(({ identity }) => identity)
    .filter((identity) => !sameIdentity(identity, self));
  await end(host, targets, [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ]);
}

/** Ends what is left of the supervisors' guards. A guard is a program without manners: nothing to ask it. */
export async function endGuards(host: Host, guards: readonly ProcessInfo[]): Promise<void> {
  await end(
    host,
    guards.map(({ identity }) => identity),
    [['SIGKILL', KILL_MS]],
  );
}

async function end(
  host: Host,
  targets: readonly Identity[],
  steps: readonly (readonly [SignalName, number])[],
): Promise<void> {
  if (targets.length === 0) return;
  for (const [signal, waitMs] of steps) {
    for (const target of targets) {
      await host.signal(target, signal);
      // One that was frozen because it did not answer has the signal pending until it runs again.
      await host.signal(target, 'SIGCONT');
    }
    const deadline = host.nowMs() + waitMs;
    while (host.nowMs() < deadline) {
      const snapshot = await host.snapshot();
      if (!targets.some((target) => livesIn(snapshot, target))) return;
      await host.delay(POLL_MS);
    }
  }
}
