import { requireCompose } from '../../containers/check.ts';
import type { ContainersStop } from '../../containers/report.ts';
import type { ContainersUpOptions, StartedContainer } from '../../containers/up.ts';
import { startContainers } from '../../containers/up.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { START_COMMAND } from '../../lock/holder.ts';
import type { ContainerSettings } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { hadContainers } from '../../project/place/containers-copy.ts';

/** The options of a start that concern its containers. */
interface ContainersOfStart extends Omit<ContainersUpOptions, 'chosen' | 'snapshot'> {
  readonly containers?: 'all' | 'needed';
  readonly abortOnFailure: boolean;
}

/** Brings up the containers of a start whose caller holds the project lock. */
export async function startContainersLocked(
  host: Host,
  folder: ProjectFolder,
  settings: ContainerSettings,
  { names, containers = 'needed', env, abortOnFailure, warn, ...tell }: ContainersOfStart,
  snapshot: Snapshot,
): Promise<{ readonly started: readonly StartedContainer[]; takeDown(): Promise<void> }> {
  const isFirst = !hadContainers(folder);
  const takeDown = async (): Promise<void> => {
    if (!isFirst || !hadContainers(folder)) return;
    const stop = await stopAllContainers(host, folder, env);
    if (stop?.left) warn(`not all containers could be taken down again; see: ${DEVCTL} status`);
  };
  const { onContainer, onComposeLine, over } = tell;
  const callbacks = {
    ...(over && { over }),
    ...(onContainer && { onContainer }),
    ...(onComposeLine && { onComposeLine }),
  };
  const options: ContainersUpOptions = {
    names,
    chosen: containers,
    env,
    snapshot,
    warn,
    ...callbacks,
  };
  try {
    return { started: await startContainers(folder, settings, options), takeDown };
  } catch (error) {
    if (abortOnFailure) await takeDown();
    throw error;
  }
}

async function stopAllContainers(
  host: Host,
  folder: ProjectFolder,
  env: ContainersUpOptions['env'],
): Promise<ContainersStop | null> {
  const { stopContainers } = await import('../../containers/down.ts');
  const all = { force: false, graceMs: null, volumes: false, services: null };
  return stopContainers(host, folder, { ...all, env, forced: () => false });
}

/**
 * Brings up containers alone, under the project lock.
 *
 * @param chosen compose services; 'all' that the manifest lists
 * @throws DevctlError as `startContainers`, 'locked'
 */
export async function startContainersAlone(
  host: Host,
  folder: ProjectFolder,
  settings: ContainerSettings,
  options: Omit<ContainersUpOptions, 'names' | 'snapshot'>,
): Promise<readonly StartedContainer[]> {
  requireCompose(settings, folder.root, [], options.env);
  const lock = await takeLockToStart(host, folder, START_COMMAND, options.warn);
  try {
    const snapshot = await host.snapshot();
    return await startContainers(lock.folder, settings, { ...options, names: [], snapshot });
  } finally {
    lock.release();
  }
}
