import type { SupervisedStopRequest } from '../../client/protocol.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { declaredServices, openProject } from '../../project/open-project.ts';
import { type StopOptions, stopOptions } from './options.ts';
import { sweepSettingsOf, toSweepRules } from './sweep-rules.ts';

/** What `devctl stop` would ask for in the project folder, as its manifest is now. */
export function stopEverythingRequest(
  folder: ProjectFolder,
  manifest: string,
): SupervisedStopRequest {
  const project = openProject({ cwd: folder.root, config: manifest });
  return {
    names: null,
    force: false,
    graceMs: null,
    sweep: sweepSettingsOf(project, false),
    declared: declaredServices(project),
  };
}

/** How a stop is carried out that has no terminal: nobody sees it at work, or asks for force meanwhile. */
export function unattendedStop({ sweep, ...request }: SupervisedStopRequest): StopOptions {
  return stopOptions({ ...request, sweep: toSweepRules(sweep) });
}
