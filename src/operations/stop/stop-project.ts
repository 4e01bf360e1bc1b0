import type { Spared } from '../../ownership/claim.ts';
import { isWeakEvidence } from '../../ownership/protection.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';
import { isBlankState } from '../../tracking/project-state.ts';
import { listStaleRecords } from '../../tracking/stale-records.ts';
import { emptyReport } from './empty-report.ts';
import { type FirstLook, lookBeforeStop, readForStop } from './first-look.ts';
import { mayHaveContainers, type StopOptions, stopHeader } from './options.ts';

/**
 * Stops services, or the whole project, and proves that no process of them is left.
 *
 * With nothing to stop it returns after one look. The code that carries out a stop is loaded only when it is needed,
 * so that a stop on an idle machine costs next to nothing.
 *
 * @param seen the records and a snapshot, if the caller has just read them
 * @throws DevctlError 'locked' when another command keeps the lock and this stop may not take it by force
 */
export async function stopProject(
  host: Host,
  folder: ProjectFolder,
  options: StopOptions,
  seen?: Pick<FirstLook, 'state' | 'snapshot'>,
): Promise<StopReport> {
  const header = await stopHeader(host, folder, options);
  const { state, snapshot } =
    seen ?? (await readForStop(host, header.folder, header.options.exempt));
  const first = await lookBeforeStop(state, snapshot, header);
  if (options.dryRun) return (await import('./dry-run.ts')).planDryRun(header, first);
  const hasContainers = mayHaveContainers(folder, options);
  if (
    !hasContainers &&
    isBlankState(state) &&
    first.found === 0 &&
    !first.spared.some(isOursAllTheSame)
  ) {
    const tookMs = Math.round(host.nowMs() - header.beganAtMs);
    return { ...emptyReport(header), tookMs, stale: listStaleRecords(state, first.stale) };
  }
  return (await import('./stop-locked.ts')).lockAndStop(host, header);
}

/** True for a process that the report must name, because it is ours, or may be. */
function isOursAllTheSame({ veto, evidence }: Spared): boolean {
  if (veto.kind === 'in-doubt') return true;
  return veto.kind === 'protected' && evidence.some(({ kind }) => !isWeakEvidence(kind));
}
