import { readFileSync } from 'node:fs';
import type { Identity } from '../../../src/processes/identity.ts';

/** Start time of a living process; null when it is gone or a zombie (proc_pid_stat(5)). */
function startTicksOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(fields[0] ?? 'Z') ? null : Number(fields[19]);
  } catch {
    return process.platform === 'linux' ? null : aliveByTheOldWay(pid);
  }
}

function aliveByTheOldWay(pid: number): number | null {
  try {
    process.kill(pid, 0);
    return 0;
  } catch {
    return null;
  }
}

export function selfIdentity(): Identity {
  const startTicks = startTicksOf(process.pid) ?? 0;
  return { pid: process.pid, startTicks, bootId: 'boot', pidNamespace: 'namespace' };
}

export async function isAlive(identity: Identity): Promise<boolean> {
  return startTicksOf(identity.pid) === identity.startTicks;
}
