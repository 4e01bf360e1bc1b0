import type { ContainersStop } from '../../containers/report.ts';
import { DevctlError, ExitCode } from '../../errors.ts';
import { readContainers } from '../../operations/status/status.ts';
import { stopContainersAlone } from '../../operations/stop/containers.ts';
import { printJson } from '../../output/terminal/json.ts';
import { themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { containersLines } from '../../output/text/containers.ts';
import { containersStopLines, noteHeldPorts } from '../../output/text/stop.ts';
import { DEVCTL } from '../../own-command.ts';
import { openHost } from '../../processes/real-host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { openProject } from '../../project/open-project.ts';
import { durationOption } from '../options/duration-option.ts';
import { listenForInterrupts } from '../stop-progress.ts';
import { yieldLock } from '../yield-lock.ts';

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

/** Runs `devctl stop --containers`. Exits 4 where something is left, or where nobody can tell; 5 where a port is held. */
export async function stopContainersOnly(
  names: readonly string[],
  options: ContainersOptions,
): Promise<number> {
  if (options.dryRun) {
    throw new DevctlError('usage', '--dry-run does not go with --containers', {
      hint: `${DEVCTL} status --containers shows what would be taken down`,
    });
  }
  if (options.volumes && names.length > 0) {
    throw new DevctlError(
      'usage',
      '--volumes removes the volumes of all containers: it takes no names',
      { hint: `${DEVCTL} stop --containers --volumes` },
    );
  }
  const { folder } = openProject({ config: options.config });
  const stop = await takeDownContainers(folder, names, options);
  if (options.json) printJson({ containers: stop });
  else printContainersStop(stop, options.color);
  if (stop?.left) return ExitCode.Survivors;
  return stop?.ports.some(({ free }) => !free) ? ExitCode.Stranger : ExitCode.Ok;
}

/** Runs `devctl status --containers`. Exits 3 where one is not up, or where nobody can tell. */
export async function statusOfContainers(options: ContainersOptions): Promise<number> {
  const containers = await readContainers(openProject({ config: options.config }));
  if (options.json) printJson({ containers });
  else if (containers === null) process.stdout.write('no containers of this project are known\n');
  else {
    const lines = containersLines(containers, themeFor(process.stdout, options.color));
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
  return containers?.healthy ? ExitCode.Ok : ExitCode.NotRunning;
}

/** Takes down containers for a command. */
export async function takeDownContainers(
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

/** Prints what became of them. */
export function printContainersStop(stop: ContainersStop | null, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const lines = stop === null ? [] : containersStopLines(stop, theme);
  const last = lines.length === 0 ? ['no containers of this project were there'] : [];
  const next = stop?.unknown
    ? [`  → docker info tells more; then ${DEVCTL} stop --containers`]
    : [];
  for (const line of [...lines, ...last, ...next]) process.stdout.write(`${line}\n`);
  noteHeldPorts(stop?.ports ?? [], color);
}
