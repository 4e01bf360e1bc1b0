import { linuxBootId } from './boot-id.ts';
import type { Host } from './host.ts';
import { type Identity, sameIdentity } from './identity.ts';
import { parseStat } from './linux/stat.ts';
import { readPidNamespace } from './pid-namespace.ts';
import { readProcLine } from './proc-file.ts';
import { isGone, livesIn } from './snapshot.ts';

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

/**
 * Asks the host for this one process. A look at the whole table takes a hundred times as long, and takes the processor from a
 * process that is to end. The portable table has no quicker answer that is fresh: it reads one process from its last look.
 */
export async function livesStill(
  host: Pick<Host, 'read' | 'snapshot'>,
  identity: Identity,
): Promise<boolean> {
  if (identity.pidNamespace === 'portable') return livesIn(await host.snapshot(), identity);
  const found = await host.read(identity.pid);
  return found !== null && sameIdentity(found.identity, identity) && !isGone(found);
}
