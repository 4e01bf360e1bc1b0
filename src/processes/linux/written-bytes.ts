import { readProcFile } from '../proc-file.ts';

/**
 * How many bytes a process has written so far, to whatever it was (`wchar`, proc_pid_io(5)).
 *
 * @returns null for one that is gone, or does not let us look, and where there is no /proc
 */
export function bytesWritten(pid: number): number | null {
  const written = /^wchar: (\d+)$/m.exec(readProcFile(`/proc/${pid}/io`) ?? '')?.[1];
  return written === undefined ? null : Number(written);
}
