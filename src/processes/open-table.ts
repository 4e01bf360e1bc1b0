import { readlinkSync } from 'node:fs';
import { DevctlError } from '../errors.ts';
import { openProcTable } from './linux/table.ts';
import { openPortableTable } from './portable/table.ts';
import type { ProcessTable } from './table.ts';

/**
 * Opens the process table of this machine: /proc on Linux, `ps` elsewhere. DEVCTL_PROCESS_TABLE=portable
 * forces `ps`, so that it can be tested on Linux.
 *
 * @throws DevctlError 'unsafe' when /proc is missing or shows another PID namespace than ours
 */
export function openProcessTable(env: NodeJS.ProcessEnv = process.env): ProcessTable {
  if (process.platform !== 'linux') return openPortableTable();
  requireOwnProc();
  return env.DEVCTL_PROCESS_TABLE === 'portable' ? openPortableTable() : openProcTable();
}

/** Refuses the /proc of another PID namespace (`unshare -p`), in which a pid names another process than for us. */
function requireOwnProc(): void {
  const self = ownNumberInProc();
  if (self === String(process.pid)) return;
  const problem =
    self === null
      ? 'there is no /proc, so no process can be recognised'
      : `/proc belongs to another PID namespace (it calls this process ${self}, not ${process.pid})`;
  throw new DevctlError('unsafe', problem, {
    hint: 'mount a /proc of this namespace: mount -t proc proc /proc, or unshare --mount-proc',
  });
}

function ownNumberInProc(): string | null {
  try {
    return readlinkSync('/proc/self');
  } catch {
    return null;
  }
}
