import type { Host, SignalName } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { livesStill } from '../processes/lives-now.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';

/** The time that a supervisor has to end after SIGTERM, in ms. */
const TERM_MS = 1_000;
/** The time that a process has to die of SIGKILL, in ms. It dies late when it is stuck in the kernel or gets no CPU. */
const KILL_MS = 5_000;
const POLL_MS = 10;

/**
 * Ends the supervisors of a project. Call it when everything below them is gone, because a subreaper that dies hands
 * its orphans on to process 1.
 *
 * @param self the process that carries out the stop: if it is a supervisor, it is left alone
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

/** Ends the guards of supervisors, with SIGKILL at once: a guard has nothing to finish. */
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
      // A supervisor that was frozen, because it did not answer, keeps the signal pending until it runs again.
      await host.signal(target, 'SIGCONT');
    }
    const deadline = host.nowMs() + waitMs;
    while (host.nowMs() < deadline) {
      const alive = await Promise.all(targets.map((target) => livesStill(host, target)));
      if (!alive.includes(true)) return;
      await host.delay(POLL_MS);
    }
  }
}
