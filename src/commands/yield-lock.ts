import { DevctlError } from '../errors.ts';
import { TAKE_OVER_SIGNAL } from '../lock/holder.ts';
import { type FailureOutput, printFailure } from '../output/terminal/failure.ts';

/**
 * From now on a `devctl stop` that needs the lock of this command ends it with a reason and with exit
 * code 6, instead of silently.
 *
 * @returns how to end that
 */
export function yieldLock({ json = false, ...output }: Partial<FailureOutput>): () => void {
  let isOver = false;
  process.on(TAKE_OVER_SIGNAL, () => {
    // It was about to tell its result, and has let go of the lock.
    if (isOver) return;
    const reason = new DevctlError('locked', 'a devctl stop has taken over from this command', {
      hint: 'it goes on from what is there; devctl status shows what is left',
    });
    process.exit(printFailure(reason, { json, ...output }));
  });
  return () => {
    isOver = true;
  };
}
