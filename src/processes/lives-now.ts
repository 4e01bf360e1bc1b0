import { linuxBootId } from './boot-id.ts';
import type { Identity } from './identity.ts';
import { parseStat } from './linux/stat.ts';
import { readPidNamespace } from './pid-namespace.ts';
import { readProcLine } from './proc-file.ts';

/**
 * Tells whether this very process is alive at this moment. It reads one file, and waits for nothing. The portable
 * table cannot be asked at once, so there only the number is checked.
 */
export function livesNow({ pid, startTicks, bootId, pidNamespace }: Identity): boolean {
  if (pidNamespace === 'portable') return hasProcess(pid);
  here ??= { bootId: linuxBootId(), pidNamespace: readPidNamespace() };
  if (bootId !== here.bootId || pidNamespace !== here.pidNamespace) return false;
  const stat = parseStat(readProcLine(`/proc/${pid}/stat`) ?? '');
  return stat?.startTicks === startTicks && !['Z', 'X'].includes(stat.state);
}

/** Where this process runs, which never changes. */
let here: Pick<Identity, 'bootId' | 'pidNamespace'> | undefined;

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
