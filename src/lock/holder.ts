import { DevctlError } from '../errors.ts';
import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import { livesIn } from '../processes/snapshot.ts';

/** What a start calls itself in the lock of the project. */
export const START_COMMAND = 'start';

/** And `devctl run`, which holds it while it begins and while it ends. */
export const RUN_COMMAND = 'run';

/**
 * Asks a devctl command to say that it is being replaced, and to end. Where nobody listens it does nothing
 * (signal(7)): a command that has its result and is just exiting must not be seen to die of it.
 */
export const TAKE_OVER_SIGNAL = 'SIGURG';
export async function isAlive(host: Host, identity: Identity): Promise<boolean> {
  return livesIn(await host.snapshot(), identity);
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
