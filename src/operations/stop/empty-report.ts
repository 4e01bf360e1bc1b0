import type { StopReport } from '../../stopping/report.ts';
import type { StopHeader } from './options.ts';

const NOT_CHECKED = { held: false, why: 'nothing was running' };

/** The report of a stop that has ended nothing. Every other report replaces some of its fields. */
export function emptyReport({ folder, options, startedAt }: StopHeader): StopReport {
  return {
    version: 1,
    kind: 'stop',
    project: folder.root,
    at: startedAt.toISOString(),
    tookMs: 0,
    forced: options.force,
    why: options.why ?? null,
    scope: options.names,
    services: [],
    processes: [],
    survivors: [],
    spared: [],
    stale: [],
    ports: [],
    problems: [],
    capabilities: { subreaper: NOT_CHECKED, pidfd: NOT_CHECKED, cgroup: NOT_CHECKED },
    supervisor: null,
    guards: [],
    proof: {
      strength: 'best-effort',
      why: 'there are no records: only what carries our mark or works in the project can be found',
      scans: 1,
    },
    containers: null,
  };
}
