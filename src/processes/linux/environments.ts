import { listProcFolder, readProcFile } from '../proc-file.ts';

/**
 * Reads the environments of all other processes that this user may look at, one after the other, without a process
 * table. Each has `NAME=value` entries, ended by NUL.
 */
export function* otherEnvironments(): Generator<{
  readonly pid: number;
  readonly environ: string;
}> {
  for (const pid of listProcFolder('/proc') ?? []) {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) continue;
    const environ = readProcFile(`/proc/${pid}/environ`, 'latin1');
    if (environ) yield { pid: Number(pid), environ };
  }
}
