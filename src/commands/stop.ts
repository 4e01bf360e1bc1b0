import { DevctlError, ExitCode } from '../errors.ts';
import { parseDuration } from '../manifest/units.ts';
import { formatDuration } from '../output/durations.ts';
import { printJson } from '../output/json.ts';
import { themeFor } from '../output/theme.ts';
import { printable } from '../output/width.ts';
import { openHost } from '../processes/real-host.ts';
import type { StopReport } from '../stopping/report.ts';
import { selectNames } from '../supervisor/names.ts';
import { openProject, sweepSettingsOf, toSweepRules } from '../supervisor/open-project.ts';
import { requireProject } from '../supervisor/require-project.ts';
import { stopProject } from '../supervisor/stop.ts';
import { surroundingService } from '../supervisor/surroundings.ts';
import { printStopReport } from './print-stop.ts';

export interface StopCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly grace?: string;
}

/** `devctl stop`: 0 with the proof that nothing is left, 4 when something is, 5 when a port is held. */
export async function stop(names: readonly string[], options: StopCommandOptions): Promise<number> {
  const project = openProject({ cwd: process.cwd(), config: options.config });
  const { folder, outline } = project;
  const selected = selectNames(project, names);
  const graceMs = options.grace === undefined ? null : graceOf(options.grace);
  const force = options.force ?? false;
  const host = openHost();
  const sweep = sweepSettingsOf(project, force);
  if (outline.kind === 'broken') warn(`${outline.why}: stopping from the records`, options.color);

  const inside = options.dryRun ? null : await surroundingService(host, folder, process.env);
  let report: StopReport | null;
  if (inside !== null && (selected === null || selected.includes(inside))) {
    warn(
      `devctl runs inside the service ${inside}: the supervisor performs the stop`,
      options.color,
    );
    const { stopThroughSupervisor } = await import('../supervisor/stop-inside.ts');
    report = await stopThroughSupervisor(host, folder, { names: selected, force, graceMs, sweep });
    if (!report) {
      throw new DevctlError(
        'supervisor-failed',
        'the supervisor ended before it told the outcome',
        {
          hint: 'devctl status, from a terminal outside of the services, shows what is left',
        },
      );
    }
  } else {
    const interrupted = listenForInterrupts();
    const watch = createWatch();
    report = await stopProject(host, folder, {
      names: selected,
      force,
      dryRun: options.dryRun ?? false,
      graceMs,
      sweep: toSweepRules(sweep),
      forced: interrupted,
      watch,
    });
  }
  requireProject(project, force || report.processes.length > 0);
  if (options.json) printJson(report);
  else printStopReport(report, options.color);
  return exitCodeOf(report);
}

function exitCodeOf(report: StopReport): number {
  if (report.survivors.length > 0) return ExitCode.Survivors;
  return report.ports.some(({ free }) => !free) ? ExitCode.Stranger : ExitCode.Ok;
}

function graceOf(text: string): number {
  const ms = parseDuration(/^\d+$/.test(text) ? Number(text) : text);
  if (ms !== null) return ms;
  throw new DevctlError('usage', `--grace ${text}: not a duration`, {
    hint: 'write 500ms, 3s or 2m, or a number of milliseconds',
  });
}

/** The first Ctrl-C during a stop turns it into --force; the stop goes on until its proof. */
function listenForInterrupts(): () => boolean {
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    const next = 'killing what is left; the records are kept until it is proved gone';
    if (interrupts === 1) process.stderr.write(`\ndevctl: ${next}\n`);
  });
  return () => interrupts > 0;
}

/** Says every second what holds the stop up, so that nobody has to guess. */
function createWatch(): (
  living: Parameters<Parameters<typeof stopProject>[2]['watch']>[0],
) => void {
  const beganMs = performance.now();
  let nextMs = 1_000;
  return (living) => {
    const afterMs = performance.now() - beganMs;
    if (living.length === 0 || afterMs < nextMs) return;
    nextMs = afterMs + 1_000;
    const names = living.slice(0, 3).map(({ process: { name, identity }, service }) => {
      const of = service === null ? '' : `${service}: `;
      return `${of}${printable(name)} (pid ${identity.pid})`;
    });
    const more = living.length > 3 ? ` and ${living.length - 3} more` : '';
    const waited = formatDuration(afterMs);
    process.stderr.write(`devctl: ${waited}: waiting for ${names.join(', ')}${more}\n`);
  };
}

function warn(line: string, color: boolean | undefined): void {
  process.stderr.write(`${themeFor(process.stderr, color).yellow('!')} ${printable(line)}\n`);
}
