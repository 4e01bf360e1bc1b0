import { readProcLine } from './proc-file.ts';
import { runTool } from './system-tool.ts';

/**
 * A text that changes with every boot, so that no record from before it can claim anything.
 *
 * @returns 'unknown' where the system has none
 */
export async function readBootId(): Promise<string> {
  if (process.platform === 'linux') return linuxBootId();
  const name = process.platform === 'darwin' ? 'kern.bootsessionuuid' : 'kern.boottime';
  const answer = await runTool('sysctl', ['-n', name]);
  return answer?.stdout.trim() || 'unknown';
}

/** The same on Linux, where it is a file. */
export function linuxBootId(): string {
  return readProcLine('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
}
