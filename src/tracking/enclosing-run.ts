import { ancestry } from '../ownership/ancestry.ts';
import { readCookie } from '../ownership/cookie.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import type { ProjectState } from './project-state.ts';

/** The service and the one-offs of its own project that this command runs inside of. */
export interface EnclosingRun {
  /** A stop of this service would end this command half way, so the supervisor has to carry it out. */
  readonly service: string | null;
  /** One-offs (`devctl run`): each ends when its command does, which is after this one. */
  readonly oneOffs: readonly ServiceRecord[];
}

/**
 * Finds the service and the one-offs that a process runs inside of, by the cookie in its environment
 * and by its ancestors.
 *
 * @param self the process that runs this command
 * @param env its environment
 */
export function findEnclosingRun(
  { folder, records }: Pick<ProjectState, 'folder' | 'records'>,
  snapshot: Snapshot,
  self: Identity,
  env: Readonly<Record<string, string | undefined>>,
): EnclosingRun {
  const block = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const found = readCookie(block.join(''));
  const cookie = found?.projects.includes(folder.mark) ? found : null;
  const above = ancestry(self.pid, snapshot);
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
