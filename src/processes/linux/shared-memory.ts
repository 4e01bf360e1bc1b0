import { existsSync } from 'node:fs';
import { readProcFile } from '../proc-file.ts';

/**
 * Reads the proportional set size of a process (proc_pid_smaps(5)), which counts a page that n processes share as 1/n.
 * The sum over a tree is the memory of the tree, while the sum of RSS counts each shared page once for each process.
 *
 * The kernel walks the page tables for it: about 1 ms for 100 MB.
 *
 * @returns bytes; 0 for a process that is gone, null where this cannot be read (another user's process, not Linux)
 */
export function readPss(pid: number): number | null {
  const pss = parsePss(readProcFile(`/proc/${pid}/smaps_rollup`) ?? '');
  if (pss !== null) return pss;
  return existsSync('/proc/self/smaps_rollup') && !existsSync(`/proc/${pid}`) ? 0 : null;
}

export function parsePss(rollup: string): number | null {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}
