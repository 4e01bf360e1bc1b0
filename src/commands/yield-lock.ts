import { DevctlError } from '../errors.ts';
import { TAKE_OVER_SIGNAL } from '../lock/holder.ts';
import { type FailureOutput, printFailure } from '../output/terminal/failure.ts';
import { DEVCTL } from '../own-command.ts';

/**
 * Makes this command end with a reason and exit code 6 when a `devctl stop` needs its lock. Otherwise it
 * would end silently.
 *
 * @returns a function that takes this back
 */
export function yieldLock({ json = false, ...output }: Partial<FailureOutput>): () => void {
  let isOver = false;
  process.on(TAKE_OVER_SIGNAL, () => {
    // The command has released the lock and is about to print its result.
    if (isOver) return;
    const reason = new DevctlError('locked', 'a devctl stop has taken over from this command', {
      hint: `it goes on from what is there; ${DEVCTL} status shows what is left`,
    });
    process.exit(printFailure(reason, { json, ...output }));
  });
  return () => {
    isOver = true;
  };
}
