import { readCookie } from '../ownership/cookie.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { sameIdentity } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { readProjectState } from './project-state.ts';

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
