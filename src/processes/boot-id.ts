import { readProcLine } from './proc-file.ts';
import { runTool } from './system-tool.ts';

/**
 * Reads a text that changes with every boot, so that no record from before it can claim anything.
 *
 * @returns 'unknown' where the system has none
 */
export function linuxBootId(): string {
  known ??= readProcLine('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  return known;
}

/** No process outlives its boot. */
let known: string | undefined;

/** Does the same where there is no /proc. */
export async function readBootId(): Promise<string> {
  const name = process.platform === 'darwin' ? 'kern.bootsessionuuid' : 'kern.boottime';
  const answer = await runTool('sysctl', ['-n', name]);
  return answer?.stdout.trim() || 'unknown';
}
