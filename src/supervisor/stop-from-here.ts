import { DevctlError } from '../errors.ts';
import type { SweepSettings } from '../manifest/resolved.ts';
import type { Host } from '../processes/host.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { StopReport } from '../stopping/report.ts';
import { toSweepRules } from './open-project.ts';
import { type StopOptions, stopProject } from './stop.ts';
import { surroundingService } from './surroundings.ts';

/** As for `stopProject`, but for what a supervisor has to be told in words. */
export interface StopFromHereOptions extends Omit<StopOptions, 'sweep' | 'hasChildren'> {
  readonly sweep: SweepSettings;
  /** Told before the supervisor takes the stop over. */
  readonly handedOver: (service: string) => void;
}

/**
 * Stops services, wherever this process runs. Inside one of those to be stopped it would end itself
 * half way: there the supervisor carries out the stop.
 *
 * @throws DevctlError as `stopProject`; 'supervisor-failed' when the supervisor ended before it told
 *   the outcome
 */
export async function stopFromHere(
  host: Host,
  folder: ProjectFolder,
  options: StopFromHereOptions,
): Promise<StopReport> {
  const { names, dryRun, force, graceMs, sweep, declared } = options;
  const inside = dryRun ? null : await surroundingService(host, folder, process.env);
  if (inside === null || (names !== null && !names.includes(inside))) {
    return stopProject(host, folder, { ...options, sweep: toSweepRules(sweep) });
  }
  options.handedOver(inside);
  const { stopThroughSupervisor } = await import('./stop-inside.ts');
  const request = { names, force, graceMs, sweep, declared };
  const report = await stopThroughSupervisor(host, folder, request);
  if (report) return report;
  throw new DevctlError('supervisor-failed', 'the supervisor ended before it told the outcome', {
    hint: 'devctl status, from a terminal outside of the services, shows what is left',
  });
}
