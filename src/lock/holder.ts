import { DevctlError } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { isGone } from '../processes/snapshot.ts';
import type { LockHolder } from './ticket.ts';
import { type LockProject, projectNameOf, worksFor } from './whose.ts';

/** The name of `devctl start` in the lock file. */
export const START_COMMAND = 'start';

/** The name of a stop without force in the lock file. */
export const STOP_COMMAND = 'stop';

/** The name of `devctl run` in the lock file. It holds the lock while it begins and while it ends. */
export const RUN_COMMAND = 'run';

/**
 * The signal that tells a devctl command to say that another command replaces it, and to end. A process without a
 * handler ignores it (signal(7)): a command that has its result and is about to exit must not seem to die of it.
 */
export const TAKE_OVER_SIGNAL = 'SIGURG';

/**
 * Tells whether exactly this process is alive. A zombie is not.
 *
 * Reads this process only, because commands that wait for the lock ask many times a second: with whole snapshots they
 * take the CPU time that the holder needs to release it.
 */
export async function isAlive(host: Host, identity: Identity): Promise<boolean> {
  const found = await host.read(identity.pid);
  return found !== null && sameIdentity(found.identity, identity) && !isGone(found);
}

/**
 * The error of a command that cannot have the lock: it names the holder, with its project where it is another one, and
 * says what to do.
 */
export function lockedBy(
  project: LockProject,
  holder: LockHolder | null,
  suspended = false,
): DevctlError {
  const name = holder ? `devctl ${holder.command} (pid ${holder.identity.pid})` : 'another devctl';
  const what = suspended ? 'was suspended while at work' : 'is at work';
  const wait = suspended ? `let it go on (kill -CONT ${holder?.identity.pid})` : 'wait for it';
  const other = holder && !worksFor(project, holder) ? projectNameOf(holder) : null;
  if (other !== null) {
    const place = holder?.folder?.pidsDir;
    const lock = place === undefined ? '' : `, and holds the lock of ${place}`;
    return new DevctlError('locked', `${name} of another project, ${other}, ${what}${lock}`, {
      hint: `${wait}, or stop that project: ${DEVCTL} stop --config ${other}`,
    });
  }
  return new DevctlError('locked', `${name} ${what} in this project`, {
    hint: `${wait}, or end it and everything else with: ${DEVCTL} stop --force`,
  });
}
