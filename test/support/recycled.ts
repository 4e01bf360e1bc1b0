import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Bystanders, FAILED, RECIPES_FOLDER, startBystanders } from './bystanders.ts';

/** A bystander that is to get the pid of a process that has died. */
export interface Recycled {
  readonly number: number;
  /** `leads`: a session of its own, with a child. `left`: it did, has died, and the child is there still. */
  readonly role: 'alone' | 'leads' | 'left';
  /** Its command line. */
  readonly words: readonly string[];
}

/** True where we can choose the next pid: as root, on Linux, with CONFIG_CHECKPOINT_RESTORE. */
export const canRecycle =
  process.platform === 'linux' &&
  spawnSync('perl', [
    '-e',
    'open F, ">", "/proc/sys/kernel/ns_last_pid" or exit 1; syswrite F, $$ or exit 1',
  ]).status === 0;

/**
 * Starts bystanders with these pids. The processes that had them must be dead and reaped. Fails when
 * another process of this machine was given one of the pids meanwhile.
 *
 * @param cwd their working directory
 * @param outside an empty folder of their own
 */
export function recycle(
  wanted: readonly Recycled[],
  cwd: string,
  outside: string,
): Promise<Bystanders> {
  // From the highest down, because a process that is started meanwhile gets the next higher pid.
  const sorted = [...wanted].sort((a, b) => b.number - a.number);
  const specs = sorted.flatMap(({ number, role, words }) => ['--', `${number}`, role, ...words]);
  const perl = ['perl', join(RECIPES_FOLDER, 'recycled.pl'), ...specs.slice(1)];
  // On a busy machine another process may have got a pid in this moment, and may keep it.
  const command = ['sh', '-c', '"$@" || : >"$0"', join(outside, FAILED), ...perl] as const;
  return startBystanders(
    [{ kind: 'recycled', command: [...command] satisfies [string, ...string[]], cwd }],
    outside,
    {},
  );
}
