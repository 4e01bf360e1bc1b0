import type { Host } from '../../processes/host.ts';
import { ticksToMs } from '../../processes/ticks.ts';
import { findRunningProjects } from '../../tracking/running-projects.ts';

/** One line of `devctl status --all`. */
export interface ProjectSummary {
  /** Null: its processes carry none, because an early version of devctl has started them. */
  readonly id: string | null;
  /** The value of DEVCTL_PROJECT in its environments. */
  readonly mark: string;
  /** The project folder, or the last that is known of it; null: not known. */
  readonly project: string | null;
  /** True where that folder was removed, or is another project's by now. */
  readonly gone: boolean;
  /** The start of its oldest process: ISO 8601 in UTC. */
  readonly since: string;
  readonly uptimeMs: number;
  /** The number of its living processes, without those of devctl. */
  readonly processes: number;
  readonly supervisor: { readonly pid: number } | null;
}

/** Describes every project of this user of which something lives, the oldest first. Changes nothing. */
export async function summariseProjects(
  host: Pick<Host, 'snapshot' | 'self'>,
): Promise<readonly ProjectSummary[]> {
  const snapshot = await host.snapshot();
  const nowMs = Date.now();
  return findRunningProjects(snapshot, await host.self()).map((found) => {
    const { id, marks, path, gone, processes, supervisor } = found;
    const uptimeMs = Math.max(0, ticksToMs(snapshot.nowTicks - found.sinceTicks));
    return {
      id,
      mark: marks[0] ?? '',
      project: path,
      gone,
      since: new Date(nowMs - uptimeMs).toISOString(),
      uptimeMs,
      processes: processes.length,
      supervisor: supervisor && { pid: supervisor.pid },
    };
  });
}
