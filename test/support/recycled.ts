import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BYSTANDERS, gatherStrangers, type Strangers } from './strangers.ts';

/** A stranger who is to get a number that was somebody else's. */
export interface Recycled {
  readonly number: number;
  /** `leads`: a session of its own, with a child. `left`: it did, has died, and the child is there still. */
  readonly role: 'alone' | 'leads' | 'left';
  /** Its command line. */
  readonly words: readonly string[];
}

/** Can we choose the next pid? Takes root, Linux, and a kernel with CONFIG_CHECKPOINT_RESTORE. */
export const canRecycle =
  process.platform === 'linux' &&
  spawnSync('perl', [
    '-e',
    'open F, ">", "/proc/sys/kernel/ns_last_pid" or exit 1; syswrite F, $$ or exit 1',
  ]).status === 0;

/**
 * Starts strangers with these pids, whose owners must be dead and reaped. Fails when somebody else on
 * this machine was given one of the numbers meanwhile.
 *
 * @param cwd where they work
 * @param outside an empty folder of their own
 */
export function recycle(
  strangers: readonly Recycled[],
  cwd: string,
  outside: string,
): Promise<Strangers> {
  // From the highest down: whatever is started meanwhile gets the numbers that follow.
  const sorted = [...strangers].sort((a, b) => b.number - a.number);
  const specs = sorted.flatMap(({ number, role, words }) => ['--', `${number}`, role, ...words]);
  const command = ['perl', join(BYSTANDERS, 'recycled.pl'), ...specs.slice(1)] as const;
  return gatherStrangers(
    [{ kind: 'recycled', command: [...command] as [string, ...string[]], cwd }],
    outside,
    {},
  );
}
