import { readProcFile } from '../proc-file.ts';

/**
 * Reads how many bytes a process has written so far, to any descriptor (`wchar`, proc_pid_io(5)).
 *
 * @returns null for a process that is gone or that we may not look at, and where there is no /proc
 */
export function bytesWritten(pid: number): number | null {
  const written = /^wchar: (\d+)$/m.exec(readProcFile(`/proc/${pid}/io`) ?? '')?.[1];
  return written === undefined ? null : Number(written);
}
