import { loadNative, type Native } from '../processes/native/native.ts';
import { openProcessTable } from '../processes/open-table.ts';
import { isGone } from '../processes/snapshot.ts';
import { loadSpawn } from '../processes/spawn.ts';
import type { ProcessTable } from '../processes/table.ts';

/** The signals that end a container politely. The supervisor gets them. */
const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Runs the supervisor as a child, and is the init that process 1 of a container has to be. As process 1 the supervisor
 * would adopt processes that came in from outside (`docker exec`), and could not tell them from what its
 * services have left behind.
 *
 * @returns the exit code of the supervisor; with the end of process 1 the kernel ends the container
 */
export async function runAsContainerInit(): Promise<number> {
  const spawnChild = await loadSpawn();
  const spawned = spawnChild(process.execPath, process.argv.slice(1), {
    cwd: process.cwd(),
    env: process.env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (spawned.child === null) return 1;
  const { child, pid } = spawned;
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  const loaded = await loadNative();
  if (loaded.available) reapAdopted(loaded, openProcessTable(), pid);
  return exited;
}

/** Reaps all dead children of process 1 but `own`. Node reaps only what it has spawned. */
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
      // Out of descriptors or memory. The next end is a reason to look again, and ours would end the container.
    } finally {
      looking = false;
    }
    if (again) await look();
  };
  // Signals come together as one: each is a reason to look, not a count.
  process.on('SIGCHLD', () => void look());
}
