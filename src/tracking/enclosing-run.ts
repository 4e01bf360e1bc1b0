import { readCookie } from '../ownership/cookie.ts';
import { ancestry } from '../ownership/vetoes.ts';
import type { Host } from '../processes/host.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { readProjectState } from './project-state.ts';

/** What this very command runs in, of its own project. */
export interface EnclosingRun {
  /** A stop of this service would end itself half way, so the supervisor has to carry it out. */
  readonly service: string | null;
  /** One-offs (`devctl run`): they end when their commands do, which is after us. */
  readonly oneOffs: readonly ServiceRecord[];
}

/** Finds out by the mark in our environment and by what is above us. */
export async function findEnclosingRun(
  host: Host,
  folder: ProjectFolder,
  env: Readonly<Record<string, string | undefined>>,
): Promise<EnclosingRun> {
  const block = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const found = readCookie(block.join(''));
  const cookie = found?.projects.includes(folder.projectId) ? found : null;
  const { records } = readProjectState(folder);
  if (records.length === 0) return { service: cookie?.service ?? null, oneOffs: [] };
  const self = await host.self();
  const above = ancestry(self.pid, await host.snapshot());
  const isAbove = (one: Identity | null): boolean =>
    one !== null && above.some(({ identity }) => sameIdentity(identity, one));
  const oneOffs = records.filter(
    ({ oneOff, leader, supervisor, runId }) =>
      oneOff && (isAbove(leader) || isAbove(supervisor) || cookie?.runId === runId),
  );
  const named = oneOffs.some(({ runId }) => runId === cookie?.runId) ? null : cookie?.service;
  const service = records.find(({ oneOff, leader }) => !oneOff && isAbove(leader))?.service;
  return { service: named ?? service ?? null, oneOffs };
}
