import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';
import { isBlank, readProjectState } from '../../tracking/project-state.ts';
import { type FirstLook, lookBeforeStop } from './first-look.ts';
import type { StopHeader, StopOptions } from './options.ts';

/**
 * Stops services, or the whole project, and proves that nothing of them is left.
 *
 * With nothing to stop it returns after one look. What carries out a stop is loaded only when there is
 * one, so that a stop costs next to nothing on an idle machine.
 *
 * @throws DevctlError 'locked' when another command is at work and this one may not break in
 */
export async function stopProject(
  host: Host,
  folder: ProjectFolder,
  options: StopOptions,
): Promise<StopReport> {
  const self = await host.self();
  const header = { folder, options, startedAt: new Date(), beganAtMs: host.nowMs(), self };
  const before = readProjectState(folder, options.exempt);
  const first = await lookBeforeStop(host, before, self, options);
  if (options.dryRun) return (await import('./dry-run.ts')).planDryRun(header, before, first);
  if (isBlank(before) && first.found === 0) return idleReport(header, first, host.nowMs());
  return (await import('./stop-locked.ts')).lockAndStop(host, header);
}

const NOT_LOOKED = { held: false, why: 'nothing was running' };

function idleReport(header: StopHeader, first: FirstLook, nowMs: number): StopReport {
  const { folder, options, startedAt, beganAtMs } = header;
  return {
    version: 1,
    kind: 'stop',
    project: folder.root,
    at: startedAt.toISOString(),
    tookMs: Math.round(nowMs - beganAtMs),
    forced: options.force,
    why: options.why ?? null,
    scope: options.names,
    services: [],
    processes: [],
    survivors: [],
    spared: [],
    stale: first.stale.map(({ run, detail }) => ({ service: run.service, detail })),
    ports: [],
    problems: [],
    supervisor: null,
    guards: [],
    capabilities: { subreaper: NOT_LOOKED, pidfd: NOT_LOOKED, cgroup: NOT_LOOKED },
    proof: {
      strength: 'best-effort',
      why: 'there are no records: only what carries our mark or works in the project can be found',
      scans: 1,
    },
  };
}
