import { DevctlError } from './errors.ts';
import { loadManifest } from './manifest/load.ts';
import { choicesOf, selectForStart } from './manifest/select.ts';
import { definedOnly } from './manifest/variables.ts';
import type { StartResult } from './operations/start/result.ts';
import { startProject } from './operations/start/start.ts';
import type { StatusReport } from './operations/status/report.ts';
import { readStatus } from './operations/status/status.ts';
import { stopOptions } from './operations/stop/options.ts';
import { stopServices } from './operations/stop/stop.ts';
import { sweepSettingsOf } from './operations/stop/sweep-rules.ts';
import { openHost } from './processes/real-host.ts';
import { folderOfManifest } from './project/folder.ts';
import {
  declaredServices,
  manifestQuery,
  openProject,
  requireProject,
} from './project/open-project.ts';
import { selectNames } from './project/select-names.ts';
import type { StopReport } from './stopping/report.ts';

export type { StartedService } from './client/started-service.ts';
export { DevctlError, type ErrorCode, ExitCode } from './errors.ts';
export type { StartResult } from './operations/start/result.ts';
export type { ServiceStatus, StatusReport } from './operations/status/report.ts';
export type { ReportedPort } from './processes/describe.ts';
export type {
  Proof,
  ReportedProcess,
  ReportedService,
  StopReport,
} from './stopping/report.ts';

export interface ProjectOptions {
  /** The folder where the search for the manifest begins; it goes upwards. Default: the current folder. */
  readonly cwd?: string;
  /** Path of the manifest, or of its folder; with it there is no search. */
  readonly config?: string;
  /** Names of services or groups; all services by default. */
  readonly names?: readonly string[];
}

/**
 * Starts services, and resolves when each is up or has failed; `services[].state` says which.
 *
 * @throws DevctlError for a bad manifest, a port held by a stranger, another devctl at work
 */
export async function start(
  options: ProjectOptions & {
    readonly abortOnFailure?: boolean;
    /** The environment of the services; `process.env` by default. */
    readonly env?: Readonly<Record<string, string | undefined>>;
  } = {},
): Promise<StartResult> {
  const { names = [], env = process.env } = options;
  const manifest = loadManifest(manifestQuery(openProject(options), options));
  const folder = folderOfManifest(manifest);
  return startProject(openHost(), folder, manifest, {
    names: selectForStart(choicesOf(manifest), names),
    abortOnFailure: options.abortOnFailure ?? false,
    containers: names.length === 0 ? 'all' : 'needed',
    env: definedOnly(env),
    onChange: () => {},
    warn: () => {},
  });
}

/**
 * Stops services and proves that nothing of them is left; `survivors` is empty then. When the calling
 * process runs inside one of these services, the supervisor carries out the stop, which ends the calling
 * process too.
 *
 * @throws DevctlError 'locked' when another devctl is at work, 'manifest-not-found' where there is no
 *   project, 'service-unknown', 'supervisor-failed', 'usage'
 */
export async function stop(
  options: ProjectOptions & {
    readonly force?: boolean;
    /** With `force`: ends what the manifest and the built-in list protect as well. */
    readonly unprotected?: boolean;
    readonly dryRun?: boolean;
    /** Overrides the grace period of each service, in ms. */
    readonly graceMs?: number;
  } = {},
): Promise<StopReport> {
  const { graceMs = null, force = false } = options;
  if (graceMs !== null && !(Number.isFinite(graceMs) && graceMs >= 0)) {
    throw new DevctlError('usage', `graceMs is ${graceMs}: not a number of milliseconds`);
  }
  const project = openProject(options);
  const report = await stopServices(openHost(), project.folder, {
    ...stopOptions({
      names: selectNames(project, options.names ?? []),
      force,
      dryRun: options.dryRun ?? false,
      graceMs,
      declared: declaredServices(project),
      unprotected: options.unprotected ?? false,
      containers: {
        declared: project.outline.kind !== 'absent' && project.outline.hasContainers,
        volumes: false,
      },
    }),
    sweep: sweepSettingsOf(project, force),
  });
  requireProject(project, force || report.processes.length > 0);
  return report;
}

/**
 * Describes the services and the processes that earlier runs left. Changes nothing.
 *
 * @throws DevctlError 'manifest-not-found' where there is no project, 'service-unknown'
 */
export async function status(options: ProjectOptions = {}): Promise<StatusReport> {
  const project = openProject(options);
  const report = await readStatus(openHost(), project, selectNames(project, options.names ?? []));
  requireProject(project, report.services.length + report.orphans.length > 0);
  return report;
}
