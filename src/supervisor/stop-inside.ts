import { readCookie } from '../ownership/cookie.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { sameIdentity } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { StopReport } from '../stopping/report.ts';
import { ensureSupervisor } from './ensure.ts';
import { readProjectState } from './project-state.ts';
import type { SupervisedStopEvent, SupervisedStopRequest } from './protocol.ts';
import { trackOwned } from './quarry.ts';

/**
 * The service that this very command runs in, if any: a stop would end itself half way, so the
 * supervisor has to carry it out.
 */
export async function surroundingService(
  host: Host,
  folder: ProjectFolder,
  env: NodeJS.ProcessEnv,
): Promise<string | null> {
  const block = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const cookie = readCookie(block.join(''));
  if (cookie?.projects.includes(folder.projectId) && cookie.service) return cookie.service;
  const { records } = readProjectState(folder);
  if (records.length === 0) return null;
  const self = await host.self();
  const above = ancestry(self.pid, await host.snapshot());
  const leader = records.find((record) =>
    above.some(({ identity }) => record.leader && sameIdentity(identity, record.leader)),
  );
  return leader?.service ?? null;
}

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
  const client = await ensureSupervisor(host, folder, supervisors, socket);
  let report: StopReport | null = null;
  await client.stream('/stop', request, (event) => {
    const { type, report: told } = event as SupervisedStopEvent;
    if (type === 'report') report = told;
  });
  return report;
}
