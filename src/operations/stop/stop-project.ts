import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';
import { isBlankState } from '../../tracking/project-state.ts';
import { emptyReport } from './empty-report.ts';
import { describeStale, type FirstLook, lookBeforeStop, readForStop } from './first-look.ts';
import { type StopOptions, stopHeader } from './options.ts';

/**
 * Stops services, or the whole project, and proves that nothing of them is left.
 *
 * With nothing to stop it returns after one look. What carries out a stop is loaded only when there is
 * one, so that a stop costs next to nothing on an idle machine.
 *
 * @param seen the records and a snapshot, where the caller has just read them
 * @throws DevctlError 'locked' when another command is at work and this one may not break in
 */
export async function stopProject(
  host: Host,
  folder: ProjectFolder,
  options: StopOptions,
  seen?: Pick<FirstLook, 'state' | 'snapshot'>,
): Promise<StopReport> {
  const header = await stopHeader(host, folder, options);
  const { state, snapshot } = seen ?? (await readForStop(host, header));
  const first = await lookBeforeStop(state, snapshot, header);
  if (options.dryRun) return (await import('./dry-run.ts')).planDryRun(header, first);
  if (isBlankState(state) && first.found === 0) {
    const tookMs = Math.round(host.nowMs() - header.beganAtMs);
    return { ...emptyReport(header), tookMs, stale: describeStale(first.stale) };
  }
  return (await import('./stop-locked.ts')).lockAndStop(host, header);
}
