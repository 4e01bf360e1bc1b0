import { readProcLine } from './proc-file.ts';
import { runToolSync } from './system-tool.ts';

/**
 * A text that changes with every boot, so that no record from before it can claim anything.
 *
 * @returns 'unknown' where the system has none
 */
export function readBootId(): string {
  if (process.platform === 'linux') {
    return readProcLine('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  }
  if (process.platform === 'win32') return 'unknown';
  const name = process.platform === 'darwin' ? 'kern.bootsessionuuid' : 'kern.boottime';
  return runToolSync('sysctl', ['-n', name])?.trim() || 'unknown';
}
