import type { Host } from '../processes/host.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { StopReport } from '../stopping/report.ts';
import { ensureSupervisor } from './ensure.ts';
import { readProjectState } from './project-state.ts';
import type { SupervisedStopEvent, SupervisedStopRequest } from './protocol.ts';
import { trackOwned } from './quarry.ts';

/**
 * Has the supervisor stop everything, this process included.
 *
 * @returns the report; null when the connection ended before it, because this process was one of
 *   those to end or the supervisor has died
 */
export async function stopThroughSupervisor(
  host: Host,
  folder: ProjectFolder,
  request: SupervisedStopRequest,
): Promise<StopReport | null> {
  const state = readProjectState(folder);
  const self = await host.self();
  const quarry = trackOwned({ state, self, names: new Set(), remember: () => {} });
  quarry.claim(await host.snapshot());
  const { supervisors } = quarry.latest();
  const socket = state.supervisor?.socket ?? null;
  const { client } = await ensureSupervisor(host, folder, supervisors, socket);
  let report: StopReport | null = null;
  await client.stream('/stop', request, (event) => {
    const { type, report: told } = event as SupervisedStopEvent;
    if (type === 'report') report = told;
  });
  return report;
}
