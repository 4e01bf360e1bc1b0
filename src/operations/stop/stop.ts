/*
 * The files of this folder: how services are stopped, with proof.
 *
 *   stop            entry of the commands: stops here, or by the supervisor if this process runs inside a service
 *   stop-project    the first look; loads the rest only when there is something to stop
 *   stop-locked     the stop under the lock: stand down, end, ask the kernel, end supervisors and guards, finish
 *   stop-runs       ends runs with the stop engine, and writes the ledger
 *   finish          checks the ports, writes the report, removes the records of dead processes
 *   first-look      finds all processes that a stop is to end
 *   ask-guards      asks the kernel for children of guards, and ends the guards
 *   ask-one-offs    asks the kernel for children of `devctl run` commands
 *   left-alone      processes of ours that a veto protects
 *   build-report    the parts of the report, and the proof
 *   capabilities    the means of containment that a stop could rely on
 *   empty-report    the report of a stop that has ended nothing
 *   survivors       names the survivors of a stop in one line
 *   dry-run         reports what a stop would do
 *   via-supervisor  has the supervisor carry out the stop
 *   unattended      the stop that a supervisor carries out without a user
 *   end-run         ends the rest of a run before a restart
 *   leftovers       ends the processes of earlier runs before a start
 *   sweep           `devctl sweep`: ends look-alikes that belong to no service
 *   sweep-rules     the patterns and the scope of a sweep
 *   named-project   the project that `stop --project` names, also one whose folder is gone
 *   options         the options and the header of a stop
 *   outcome         the outcome of the stop engine
 */

import { DevctlError } from '../../errors.ts';
import type { SweepSettings } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { holdingFolder } from '../../project/place/hold-folder.ts';
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
export function stopServices(
  host: Host,
  folder: ProjectFolder,
  options: StopServicesOptions,
): Promise<StopReport> {
  return holdingFolder(folder, (held) => stopHeld(host, held, options));
}

async function stopHeld(
  host: Host,
  folder: ProjectFolder,
  options: StopServicesOptions,
): Promise<StopReport> {
  const { names, dryRun, force, graceMs, sweep, unprotected, declared, containers } = options;
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
  const request = { names, force, graceMs, sweep, unprotected, declared, containers };
  const report = await stopViaSupervisor(host, folder, request);
  if (report) return report;
  throw new DevctlError('supervisor-failed', 'the supervisor ended before it told the outcome', {
    hint: `${DEVCTL} status, from a terminal outside of the services, shows what is left`,
  });
}

function insideOneOff(name: string): DevctlError {
  return new DevctlError(
    'unsafe',
    `devctl runs inside the one-off ${name}, and would end with it`,
    {
      hint: `it ends when its command does; from another terminal ${DEVCTL} stop ends it at once`,
    },
  );
}
