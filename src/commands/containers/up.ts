import type { StartedContainer } from '../../containers/up.ts';
import { DevctlError, ExitCode } from '../../errors.ts';
import { loadManifest } from '../../manifest/load.ts';
import type { ContainerSettings } from '../../manifest/resolved.ts';
import { startContainersAlone } from '../../operations/start/containers.ts';
import { printJson } from '../../output/terminal/json.ts';
import { openProgress } from '../../output/terminal/open-progress.ts';
import { DEVCTL } from '../../own-command.ts';
import { openHost } from '../../processes/real-host.ts';
import { folderOfManifest, type ProjectFolder } from '../../project/folder.ts';
import { manifestQuery, openProject } from '../../project/open-project.ts';
import { type LeaseOptions, leaseWish } from '../options/lease-options.ts';
import { yieldLock } from '../yield-lock.ts';
import { type ContainersOptions, printContainersStop, takeDownContainers } from './down.ts';
import { composeNotes, showContainer } from './progress.ts';

/**
 * Runs `devctl start --containers`. Exits 0 when they are up.
 *
 * @param names compose services; none: all that the manifest lists
 */
export async function startContainersOnly(
  names: readonly string[],
  options: ContainersOptions & LeaseOptions,
): Promise<number> {
  const { ttlMs, pids } = leaseWish(options);
  if (ttlMs !== null || pids.length > 0) {
    throw new DevctlError('usage', 'a lease needs services: it is their supervisor that keeps it', {
      hint: 'leave out --ttl and --while-pid',
    });
  }
  const { folder, settings } = requireContainers(options);
  const containers = await bringUp(folder, settings, names, options);
  if (options.json) printJson({ ok: true, services: [], containers });
  else
    process.stdout.write(`${inWords(containers)}. Stop them with: ${DEVCTL} stop --containers\n`);
  return ExitCode.Ok;
}

/** Runs `devctl restart --containers`. */
export async function restartContainersOnly(
  names: readonly string[],
  options: ContainersOptions,
): Promise<number> {
  const { folder, settings } = requireContainers(options);
  const stop = await takeDownContainers(folder, names, options);
  if (!options.json) printContainersStop(stop, options.color);
  if (stop?.left) {
    if (options.json) printJson({ ok: false, stop, containers: [] });
    return ExitCode.Survivors;
  }
  const containers = await bringUp(folder, settings, names, options);
  if (options.json) printJson({ ok: true, stop, containers });
  else process.stdout.write(`${inWords(containers)}\n`);
  return ExitCode.Ok;
}

function requireContainers({ config }: ContainersOptions): {
  readonly folder: ProjectFolder;
  readonly settings: ContainerSettings;
} {
  const query = { config };
  const manifest = loadManifest(manifestQuery(openProject(query), query));
  const { containers } = manifest;
  if (containers !== null) return { folder: folderOfManifest(manifest), settings: containers };
  throw new DevctlError('usage', `${manifest.file} has no "containers"`, {
    hint: 'name the compose file: "containers": {"file": "compose.yaml"}',
  });
}

async function bringUp(
  folder: ProjectFolder,
  settings: ContainerSettings,
  names: readonly string[],
  options: ContainersOptions,
): Promise<readonly StartedContainer[]> {
  const progress = openProgress({ color: options.color });
  const endYield = yieldLock(options);
  try {
    // A user who asks for the containers alone wants an answer about them.
    const required = { ...settings, required: true };
    return await startContainersAlone(openHost(), folder, required, {
      chosen: names.length === 0 ? 'all' : names,
      env: process.env,
      onContainer: (change) => showContainer(progress, change),
      onComposeLine: composeNotes(progress),
      warn: (line) => progress.note(`! ${line}`),
    });
  } finally {
    progress.close();
    endYield();
  }
}

function inWords(containers: readonly StartedContainer[]): string {
  const used = containers.filter(({ ours }) => !ours).length;
  const suffix = used === 0 ? '' : `, ${used} of them started by somebody else`;
  return `${containers.length} container${containers.length === 1 ? ' is' : 's are'} up${suffix}`;
}
