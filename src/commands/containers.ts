import type { ContainersStop } from '../containers/report.ts';
import type { StartedContainer } from '../containers/up.ts';
import { DevctlError, ExitCode } from '../errors.ts';
import { loadManifest } from '../manifest/load.ts';
import type { ContainerSettings, ResolvedManifest } from '../manifest/resolved.ts';
import { startContainersAlone } from '../operations/start/containers.ts';
import { readContainers } from '../operations/status/status.ts';
import { stopContainersAlone } from '../operations/stop/containers.ts';
import { printJson } from '../output/terminal/json.ts';
import { openProgress } from '../output/terminal/open-progress.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { containersLines } from '../output/text/containers.ts';
import { containersStopLines } from '../output/text/stop.ts';
import { openHost } from '../processes/real-host.ts';
import { folderOfManifest, type ProjectFolder } from '../project/folder.ts';
import { manifestQuery, openProject } from '../project/open-project.ts';
import { durationOption } from './options/duration-option.ts';
import { composeNotes, showContainer } from './start.ts';
import { listenForInterrupts } from './stop-progress.ts';
import { yieldLock } from './yield-lock.ts';

/** Options of the commands that concern containers alone. */
export interface ContainersOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly force?: boolean;
  readonly volumes?: boolean;
  readonly dryRun?: boolean;
  readonly grace?: string;
}

/**
 * Runs `devctl start --containers`. Exits 0 when they are up.
 *
 * @param names compose services; none: all that the manifest lists
 */
export async function startContainersOnly(
  names: readonly string[],
  options: ContainersOptions,
): Promise<number> {
  const { folder, settings } = requireContainers(options);
  const containers = await bringUp(folder, settings, names, options);
  if (options.json) printJson({ ok: true, containers });
  else process.stdout.write(`${inWords(containers)}. Stop them with: devctl stop --containers\n`);
  return ExitCode.Ok;
}

/** Runs `devctl stop --containers`. Exits 4 where something is left, or where nobody can tell. */
export async function stopContainersOnly(
  names: readonly string[],
  options: ContainersOptions,
): Promise<number> {
  if (options.dryRun) {
    throw new DevctlError('usage', '--dry-run does not go with --containers', {
      hint: 'devctl status --containers shows what would be taken down',
    });
  }
  const { folder } = openProject({ config: options.config });
  const stop = await takeDown(folder, names, options);
  if (options.json) printJson({ containers: stop });
  else printStop(stop, options.color);
  return stop?.left ? ExitCode.Survivors : ExitCode.Ok;
}

/** Runs `devctl restart --containers`. */
export async function restartContainersOnly(
  names: readonly string[],
  options: ContainersOptions,
): Promise<number> {
  const { folder, settings } = requireContainers(options);
  const stop = await takeDown(folder, names, options);
  if (!options.json) printStop(stop, options.color);
  if (stop?.left) {
    if (options.json) printJson({ ok: false, stop, containers: [] });
    return ExitCode.Survivors;
  }
  const containers = await bringUp(folder, settings, names, options);
  if (options.json) printJson({ ok: true, stop, containers });
  else process.stdout.write(`${inWords(containers)}\n`);
  return ExitCode.Ok;
}

/** Runs `devctl status --containers`. Exits 3 where one is not up, or where nobody can tell. */
export async function statusOfContainers(options: ContainersOptions): Promise<number> {
  const containers = await readContainers(openProject({ config: options.config }));
  if (options.json) printJson({ containers });
  else if (containers === null) process.stdout.write('no containers of this project are there\n');
  else {
    const lines = containersLines(containers, themeFor(process.stdout, options.color));
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
  return containers?.healthy ? ExitCode.Ok : ExitCode.NotRunning;
}

function requireContainers({ config }: ContainersOptions): {
  readonly folder: ProjectFolder;
  readonly settings: ContainerSettings;
} {
  const query = { config };
  const manifest: ResolvedManifest = loadManifest(manifestQuery(openProject(query), query));
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
    // Who asks for the containers alone wants an answer about them.
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

async function takeDown(
  folder: ProjectFolder,
  names: readonly string[],
  { force = false, volumes = false, grace, color, ...options }: ContainersOptions,
): Promise<ContainersStop | null> {
  const endYield = yieldLock(options);
  const theme = themeFor(process.stderr, color);
  return stopContainersAlone(openHost(), folder, {
    force,
    volumes,
    graceMs: grace === undefined ? null : durationOption('--grace', grace),
    services: names.length === 0 ? null : names,
    env: process.env,
    forced: listenForInterrupts(),
    warn: (line) => void process.stderr.write(`${theme.yellow('!')} ${printable(line)}\n`),
  }).finally(endYield);
}

function printStop(stop: ContainersStop | null, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const lines = stop === null ? [] : containersStopLines(stop, theme);
  const last = lines.length === 0 ? ['no containers of this project were there'] : [];
  for (const line of [...lines, ...last]) process.stdout.write(`${line}\n`);
}

function inWords(containers: readonly StartedContainer[]): string {
  const used = containers.filter(({ ours }) => !ours).length;
  const suffix = used === 0 ? '' : `, ${used} of them started by somebody else`;
  return `${containers.length} container${containers.length === 1 ? ' is' : 's are'} up${suffix}`;
}
