import { dirname, join } from 'node:path';
import { readProcFile } from '../proc-file.ts';
import type { Snapshot } from '../snapshot.ts';
import { ownGroup } from './control-groups.ts';

/** A limit on a number of things, and the number of them now. */
export interface Usage {
  readonly used: number;
  readonly limit: number;
  /** The origin of the limit: `RLIMIT_NPROC`, or a file of the kernel. */
  readonly by: string;
}

/**
 * Reads the limits on processes that bind this user here, as far as the system tells: RLIMIT_NPROC (getrlimit(2)),
 * which counts threads of all of this user's processes and does not bind root; `pids.max` of each control
 * group around us (cgroups(7)); and the largest number that the kernel gives to a process.
 */
export function processLimits(snapshot: Snapshot): readonly Usage[] {
  const uid = process.geteuid?.() ?? 0;
  const limit = parseLimit(readProcFile('/proc/self/limits') ?? '', 'Max processes');
  const own = [...snapshot.byPid.values()].filter((one) => snapshot.details.uid(one) === uid);
  const threads = own.reduce((sum, one) => sum + one.threads, 0);
  const user = uid === 0 || limit === null ? [] : [{ used: threads, limit, by: 'RLIMIT_NPROC' }];
  const numbers = Number.parseInt(readProcFile(PID_MAX) ?? '', 10);
  const all = [...snapshot.byPid.values()].reduce((sum, one) => sum + one.threads, 0);
  const system = Number.isInteger(numbers) ? [{ used: all, limit: numbers, by: PID_MAX }] : [];
  return [...user, ...groupLimits(), ...system];
}

/** The file with the count of numbers for processes and threads of all users; proc_sys_kernel(5). */
const PID_MAX = '/proc/sys/kernel/pid_max';

/** Reads a hard limit of this process by its name in /proc/PID/limits; null for none, or where there is no /proc. */
export function hardLimit(name: string): number | null {
  return parseLimit(readProcFile('/proc/self/limits') ?? '', name, 'hard');
}

/** Reads the soft limit on open files (RLIMIT_NOFILE); null for none, or where there is no /proc. */
export function openFilesLimit(): number | null {
  return parseLimit(readProcFile('/proc/self/limits') ?? '', 'Max open files');
}

function groupLimits(): readonly Usage[] {
  const own = ownGroup();
  if ('why' in own) return [];
  const found: Usage[] = [];
  for (
    let at = own.folder;
    at.startsWith(own.mount.point) && at !== dirname(at);
    at = dirname(at)
  ) {
    const by = join(at, 'pids.max');
    const limit = Number.parseInt(readProcFile(by) ?? '', 10);
    const used = Number.parseInt(readProcFile(join(at, 'pids.current')) ?? '', 10);
    if (Number.isInteger(limit) && Number.isInteger(used)) found.push({ used, limit, by });
  }
  return found;
}

/** Finds a limit in /proc/PID/limits, proc_pid_limits(5); null for `unlimited`. */
export function parseLimit(
  limits: string,
  name: string,
  which: 'soft' | 'hard' = 'soft',
): number | null {
  const line = limits.split('\n').find((one) => one.startsWith(`${name} `));
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/) ?? [];
  const limit = which === 'soft' ? soft : hard;
  return limit !== undefined && /^\d+$/.test(limit) ? Number(limit) : null;
}
