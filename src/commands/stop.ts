import { DevctlError, ExitCode } from '../errors.ts';
import type { NamedProject } from '../operations/stop/named-project.ts';
import { stopServices } from '../operations/stop/stop.ts';
import { sweepSettingsOf } from '../operations/stop/sweep-rules.ts';
import { printJson } from '../output/terminal/json.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { printStopReport } from '../output/text/stop.ts';
import { DEVCTL } from '../own-command.ts';
import type { Host } from '../processes/host.ts';
import { takePrecedence } from '../processes/precedence.ts';
import { openHost } from '../processes/real-host.ts';
import { declaredServices, openProject, requireProject } from '../project/open-project.ts';
import { selectNames } from '../project/select-names.ts';
import type { StopReport } from '../stopping/report.ts';
import { durationOption } from './options/duration-option.ts';
import { noteOtherManifest } from './other-manifest-note.ts';
import { listenForInterrupts, stopProgress } from './stop-progress.ts';
import { yieldLock } from './yield-lock.ts';

/** Added to the message after Ctrl-C, so that nobody fears for the records. */
const KEPT = '; the records are kept until it is proved gone';

export interface StopCommandOptions {
  readonly config?: string;
  readonly project?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly force?: boolean;
  readonly unprotected?: boolean;
  readonly dryRun?: boolean;
  readonly why?: boolean;
  readonly verbose?: boolean;
  readonly grace?: string;
  readonly containers?: boolean;
  readonly volumes?: boolean;
}

/**
 * Runs `devctl stop`. Exits 0 with the proof that nothing is left, 4 when processes are left, 5 when a port
 * is held.
 */
export async function stopCommand(
  names: readonly string[],
  options: StopCommandOptions,
): Promise<number> {
  if (options.containers)
    return (await import('./containers/down.ts')).stopContainersOnly(names, options);
  const host = openHost();
  const named = await nameProject(host, options);
  const project = named?.project ?? openProject({ config: options.config });
  const { folder, outline } = project;
  const selected = selectNames(project, names);
  if (options.why && !options.dryRun) {
    throw new DevctlError('usage', '--why says why each process is ours: it takes --dry-run', {
      hint: `${DEVCTL} stop --dry-run --why`,
    });
  }
  const graceMs = options.grace === undefined ? null : durationOption('--grace', options.grace);
  const force = options.force ?? false;
  const dryRun = options.dryRun ?? false;
  if (options.volumes && names.length > 0) {
    throw new DevctlError(
      'usage',
      '--volumes removes the volumes of all containers: it takes no names',
      {
        hint: `${DEVCTL} stop --volumes`,
      },
    );
  }
  if (options.unprotected && !force) {
    throw new DevctlError(
      'usage',
      '--unprotected ends what the manifest protects: it takes --force',
      {
        hint: `${DEVCTL} stop --force --unprotected`,
      },
    );
  }
  // A fork storm of the services, or fifty other processes, may want the same two processors.
  if (!dryRun) takePrecedence();
  const sweep = sweepSettingsOf(project, force && named?.maySweep !== false);
  const declared = declaredServices(project);
  if (outline.kind === 'broken') {
    const without = names.length === 0 ? ', without a sweep' : '';
    warn(`${outline.why}: stopping from the records${without}`, options.color);
  }

  const endYield = yieldLock(options);
  const report = await stopServices(host, folder, {
    names: selected,
    force,
    dryRun,
    graceMs,
    sweep,
    unprotected: options.unprotected ?? false,
    declared,
    containers: {
      declared: outline.kind !== 'absent' && outline.hasContainers,
      volumes: options.volumes ?? false,
    },
    forced: listenForInterrupts(KEPT),
    onScan: stopProgress(),
    onHandOver(service) {
      const line = `devctl runs inside the service ${service}: the supervisor performs the stop`;
      warn(line, options.color);
    },
  }).finally(endYield);
  requireProject(project, force || report.processes.length > 0 || report.containers !== null);
  const isGone = report.survivors.length === 0 && report.containers?.left !== true;
  if (!dryRun && names.length === 0 && isGone) named?.forget();
  if (options.json) printJson(report);
  else {
    printStopReport(report, options.color, process.stdout, options);
    noteOtherManifest(folder, options.color);
  }
  return codeOf(report);
}

/**
 * Finds a project that the search for a manifest would not find.
 *
 * @returns null: the search decides
 */
async function nameProject(
  host: Host,
  { project, config, force = false }: StopCommandOptions,
): Promise<NamedProject | null> {
  if (project !== undefined && config !== undefined) {
    throw new DevctlError('usage', '--project and --config name two projects', {
      hint: 'leave out one of them',
    });
  }
  if (project === undefined && (!force || config !== undefined)) return null;
  const { openNamedProject, openRemovedCurrentFolder } = await import(
    '../operations/stop/named-project.ts'
  );
  return project === undefined ? openRemovedCurrentFolder(host) : openNamedProject(host, project);
}

function codeOf(report: StopReport): number {
  if (report.survivors.length > 0 || report.containers?.left) return ExitCode.Survivors;
  return report.ports.some(({ free }) => !free) ? ExitCode.Stranger : ExitCode.Ok;
}

function warn(line: string, color: boolean | undefined): void {
  process.stderr.write(`${themeFor(process.stderr, color).yellow('!')} ${printable(line)}\n`);
}
