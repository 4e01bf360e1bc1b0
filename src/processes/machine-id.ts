import { readProcLine } from './proc-file.ts';

/**
 * Reads a text that names this machine and outlives its reboots: machine-id(5).
 *
 * @returns null where there is none: on other systems, and in most containers
 */
export function readMachineId(): string | null {
  if (process.platform !== 'linux') return null;
  text ??= readProcLine('/etc/machine-id')?.trim() ?? '';
  return /^[0-9a-f]{32}$/.test(text) ? text : null;
}

/** Read once, because each look compares it with that of every record. */
let text: string | undefined;
