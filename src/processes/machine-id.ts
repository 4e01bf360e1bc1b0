import { readProcLine } from './proc-file.ts';
import { runToolSync } from './system-tool.ts';

/**
 * A text that names this machine and outlives its reboots: machine-id(5) on Linux, the hardware's UUID on macOS.
 *
 * @returns null where there is none, as in most containers
 */
export function readMachineId(): string | null {
  if (process.platform === 'linux') {
    const text = readProcLine('/etc/machine-id')?.trim() ?? '';
    return /^[0-9a-f]{32}$/.test(text) ? text : null;
  }
  if (process.platform !== 'darwin') return null;
  const listing = runToolSync('ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice']) ?? '';
  return /"IOPlatformUUID" = "([^"]+)"/.exec(listing)?.[1] ?? null;
}
