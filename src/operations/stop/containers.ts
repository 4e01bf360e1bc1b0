import { type ContainersDownOptions, stopContainers } from '../../containers/down.ts';
import type { ContainersStop } from '../../containers/report.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';

/**
 * Takes down containers alone, under the project lock.
 *
 * @throws DevctlError 'locked'
 */
export async function stopContainersAlone(
  host: Host,
  folder: ProjectFolder,
  options: ContainersDownOptions & { readonly warn: (line: string) => void },
): Promise<ContainersStop | null> {
  const { force, warn } = options;
  const lock = await takeLockToStop({ host, folder, self: await host.self(), force, warn });
  try {
    return await stopContainers(folder, options);
  } finally {
    lock?.release();
  }
}
