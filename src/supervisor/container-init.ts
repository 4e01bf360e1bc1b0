import { spawn } from 'node:child_process';
import { loadNative, type Native } from '../processes/native/native.ts';
import { openProcessTable } from '../processes/open-table.ts';
import { isGone } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';

/** What ends a container politely; passed on to the supervisor. */
const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * The supervisor as process 1 of a container: runs the real one as its child, and is the init that
 * process 1 has to be. Being it itself, a supervisor would adopt what came in from outside (`docker
 * exec`), and could not tell it from what its services have left behind.
 *
 * @returns the exit code of the real one; with the end of process 1 the kernel ends the container
 */
export async function runAsContainerInit(): Promise<number> {
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  const loaded = await loadNative();
  if (loaded.available) reapAdopted(loaded, openProcessTable(), child.pid ?? 0);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Node reaps only what it has spawned. */
function reapAdopted(native: Native, table: ProcessTable, own: number): void {
  let looking = false;
  let again = false;
  const look = async (): Promise<void> => {
    again = looking;
    if (looking) return;
    looking = true;
    try {
      const { byParent } = await table.snapshot();
      for (const process of byParent.get(1) ?? []) {
        const { pid } = process.identity;
        if (pid !== own && isGone(process)) native.reap(pid);
      }
    } catch {
      // Out of descriptors or memory: the next end is a reason to look again; ours would end the container.
    } finally {
      looking = false;
    }
    if (again) await look();
  };
  // Signals come together as one: each is a reason to look, not a count.
  process.on('SIGCHLD', () => void look());
}
