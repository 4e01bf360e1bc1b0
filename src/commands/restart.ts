import { ExitCode, exitCodeOf } from '../errors.ts';
import { isContainersAlone } from '../manifest/select.ts';
import { definedOnly } from '../manifest/variables.ts';
import { loadStartable } from '../operations/start/ad-hoc.ts';
import { restartProject } from '../operations/start/restart.ts';
import { printJson } from '../output/terminal/json.ts';
import { openProgress } from '../output/terminal/open-progress.ts';
import { isSeen } from '../output/terminal/theme.ts';
import { printStopReport } from '../output/text/stop.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import { declaredServices, openProject } from '../project/open-project.ts';
import { printHints } from './failure-hint.ts';
import { durationOption } from './options/duration-option.ts';
import { allUp, printSummary, showChange } from './start.ts';
import { listenForInterrupts, stopProgress } from './stop-progress.ts';
import { yieldLock } from './yield-lock.ts';

export interface RestartCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly dependents?: boolean;
  readonly grace?: string;
  readonly containers?: boolean;
}

/**
 * Runs `devctl restart`. Exits 0 when everything is up again, 1 when a service is not, 4 when processes of
 * the old runs are left.
 */
export async function restartCommand(
  names: readonly string[],
  options: RestartCommandOptions,
): Promise<number> {
  if (options.containers)
    return (await import('./containers/up.ts')).restartContainersOnly(names, options);
  const query = { config: options.config };
  const project = openProject(query);
  // Loaded before the stop, so that a mistake in the manifest is reported while everything still runs.
  const { manifest, folder } = loadStartable(project, query);
  if (names.length === 0 && isContainersAlone(manifest))
    return (await import('./containers/up.ts')).restartContainersOnly(names, options);
  const graceMs = options.grace === undefined ? null : durationOption('--grace', options.grace);
  const progress = openProgress({ color: options.color });
  const endYield = yieldLock(options);
  const interrupted = listenForInterrupts();
  const afterStop = (): void => {
    progress.close();
    const message = `interrupted: what was started goes on running; ${DEVCTL} status shows what`;
    process.stderr.write(`\n${message}\n`);
    if (options.json) printJson({ error: { code: 'interrupted', message, hint: null } });
    process.exit(exitCodeOf('SIGINT'));
  };
  try {
    const { stop, start } = await restartProject(openHost(), folder, manifest, {
      names,
      dependents: options.dependents ?? false,
      graceMs,
      env: definedOnly(process.env),
      onTerminal: isSeen(process.stdout, options.color),
      declared: declaredServices(project),
      forced: interrupted,
      onScan: stopProgress(),
      onStopped(report) {
        if (!options.json) printStopReport(report, options.color);
        process.removeAllListeners('SIGINT').once('SIGINT', afterStop);
      },
      onChange: (change) => showChange(progress, change),
      warn: (line) => progress.note(`! ${line}`),
    });
    progress.close();
    const ok = start !== null && allUp(start);
    if (options.json) printJson({ ok, stop, start });
    else if (start) {
      printSummary(start, options.color);
      printHints(start, manifest);
    }
    if (start === null) return ExitCode.Survivors;
    return ok ? ExitCode.Ok : ExitCode.Failed;
  } finally {
    progress.close();
    process.off('SIGINT', afterStop);
    endYield();
  }
}
