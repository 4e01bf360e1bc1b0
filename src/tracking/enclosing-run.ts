import { ancestry } from '../ownership/ancestry.ts';
import { readCookie } from '../ownership/cookie.ts';
import { type Identity, sameIdentity, sameMachine } from '../processes/identity.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { isOfRunCommand, type ServiceRecord } from '../project/service-record.ts';
import type { ProjectState } from './project-state.ts';

/** The service and the one-offs of its own project that this command runs inside of. */
export interface EnclosingRun {
  /** A stop of this service, or of the hook with this name, would end this command half way, so the supervisor has to carry it out. */
  readonly service: string | null;
  /** One-offs whose `devctl run` lives: it ends each when its command ends, which is after this one. */
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
  const isMarked = ({ runId }: ServiceRecord): boolean => cookie?.runId === runId;
  const oneOffs = records.filter((record) => {
    const { leader, supervisor } = record;
    // Nobody else would end the one-off of a `devctl run` that was killed.
    if (!isOfRunCommand(record) || !mayLive(supervisor, snapshot)) return false;
    return isAbove(leader) || isAbove(supervisor) || isMarked(record);
  });
  const named = records.some((record) => isOfRunCommand(record) && isMarked(record))
    ? null
    : cookie?.service;
  const service = records.find((one) => !isOfRunCommand(one) && isAbove(one.leader))?.service;
  return { service: named ?? service ?? null, oneOffs };
}

/** A process of another PID namespace of this boot cannot be looked at from here. */
function mayLive(identity: Identity, snapshot: Snapshot): boolean {
  const isHidden = identity.bootId === snapshot.bootId && !sameMachine(identity, snapshot);
  return isHidden || livesIn(snapshot, identity);
}
