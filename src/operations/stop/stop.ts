import { DevctlError } from '../../errors.ts';
import type { SweepSettings } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { readProjectState, withoutRuns } from '../../tracking/project-state.ts';
import type { StopOptions } from './options.ts';
import { stopProject } from './stop-project.ts';
import { toSweepRules } from './sweep-rules.ts';

/** As for `stopProject`, but the sweep is in a form that can be sent to a supervisor. */
export interface StopServicesOptions extends Omit<StopOptions, 'sweep' | 'hasChildren'> {
  readonly sweep: SweepSettings;
  /** Called before the supervisor takes the stop over, with the service that this process runs inside of. */
  readonly onHandOver?: (service: string) => void;
}

/**
 * Stops services, wherever this process runs.
 *
 * Inside a service that is to be stopped, this process would end itself half way, so the supervisor carries out the
 * stop. A one-off that this process runs inside of is left alone: its `devctl run` ends it when its command ends.
 *
 * @throws DevctlError as `stopProject`; 'unsafe' when `names` has that one-off; 'supervisor-failed' when the supervisor
 *   ended before it sent the report
 */
export async function stopServices(
  host: Host,
  folder: ProjectFolder,
  options: StopServicesOptions,
): Promise<StopReport> {
  const { names, dryRun, force, graceMs, sweep, declared } = options;
  const state = readProjectState(folder);
  const snapshot = await settledSnapshot(host);
  const { service, oneOffs } = findEnclosingRun(state, snapshot, await host.self(), process.env);
  const own = oneOffs.find((record) => names?.includes(record.service));
  if (own) throw insideOneOff(own.service);
  const inside = dryRun ? null : service;
  if (inside === null || (names !== null && !names.includes(inside))) {
    const exempt = oneOffs.map(({ runId }) => runId);
    const seen = { state: withoutRuns(state, exempt), snapshot };
    return stopProject(host, folder, { ...options, exempt, sweep: toSweepRules(sweep) }, seen);
  }
  options.onHandOver?.(inside);
  const { stopViaSupervisor } = await import('./via-supervisor.ts');
  const request = { names, force, graceMs, sweep, declared };
  const report = await stopViaSupervisor(host, folder, request);
  if (report) return report;
  throw new DevctlError('supervisor-failed', 'the supervisor ended before it told the outcome', {
    hint: 'devctl status, from a terminal outside of the services, shows what is left',
  });
}

function insideOneOff(name: string): DevctlError {
  return new DevctlError(
    'unsafe',
    `devctl runs inside the one-off ${name}, and would end with it`,
    {
      hint: 'it ends when its command does; from another terminal devctl stop ends it at once',
    },
  );
}
