import { loadNative } from '../processes/native/native.ts';
import { takePrecedence } from '../processes/precedence.ts';
import { loadSpawn } from '../processes/spawn.ts';
import { startReaper } from '../tracking/reaper.ts';

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
  // First, because the container may be full of orphans by the time the supervisor runs.
  const loaded = await loadNative();
  if (loaded.available) startReaper(loaded);
  const spawnChild = await loadSpawn();
  const spawned = spawnChild(process.execPath, process.argv.slice(1), {
    cwd: process.cwd(),
    env: process.env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (spawned.child === null) return 1;
  // The dead of the whole container wait for this process, and on a busy machine for its turn. It takes next to no time.
  takePrecedence();
  const { child } = spawned;
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  return exited;
}
