import { DevctlError, ExitCode } from '../errors.ts';
import { sweepProject } from '../operations/stop/sweep.ts';
import { sweepCommandRules } from '../operations/stop/sweep-rules.ts';
import { printJson } from '../output/terminal/json.ts';
import { printSweepReport } from '../output/text/sweep.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject } from '../project/open-project.ts';
import { listenForInterrupts, stopProgress } from './stop-progress.ts';

export interface SweepCommandOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly dryRun?: boolean;
}

/**
 * Runs `devctl sweep`. Exits 0 when no look-alike is left, 4 when one survived SIGKILL.
 *
 * @throws DevctlError when a sweep could end processes that are not of this project
 */
export async function sweepCommand(options: SweepCommandOptions): Promise<number> {
  const project = openProject({ config: options.config });
  const allowed = sweepCommandRules(project);
  if (allowed.kind === 'refused') {
    throw new DevctlError('usage', `nothing is swept here: ${allowed.why}`, { hint: allowed.hint });
  }
  const report = await sweepProject(openHost(), project, {
    rules: allowed.rules,
    dryRun: options.dryRun ?? false,
    forced: listenForInterrupts(),
    onScan: stopProgress(),
  });
  if (options.json) printJson(report);
  else printSweepReport(report, options.color);
  return report.survivors.length > 0 ? ExitCode.Survivors : ExitCode.Ok;
}
