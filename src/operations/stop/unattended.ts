import type { SupervisedStopRequest } from '../../client/protocol.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { declaredServices, openKnownProject } from '../../project/open-project.ts';
import { type StopOptions, stopOptions } from './options.ts';
import { sweepSettingsOf, toSweepRules } from './sweep-rules.ts';

/**
 * The request of a `devctl stop` in the project folder, by the manifest as it is now.
 *
 * @param manifest absolute path
 */
export function stopEverythingRequest(
  folder: ProjectFolder,
  manifest: string,
): SupervisedStopRequest {
  const project = openKnownProject(folder, manifest);
  return {
    names: null,
    force: false,
    graceMs: null,
    sweep: sweepSettingsOf(project, false),
    unprotected: false,
    declared: declaredServices(project),
  };
}

/** The options of a stop without a terminal, which no user watches and no user can force. */
export function unattendedStop({ sweep, ...request }: SupervisedStopRequest): StopOptions {
  return stopOptions({ ...request, sweep: toSweepRules(sweep) });
}
