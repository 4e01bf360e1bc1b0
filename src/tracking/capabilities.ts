import type { Capabilities } from '../processes/capabilities.ts';
import type { Identity } from '../processes/identity.ts';
import { sameIdentity } from '../processes/identity.ts';
import type { ProjectState } from './project-state.ts';

/**
 * Returns the capabilities that the living supervisor has recorded. Without one, every capability is
 * missing.
 *
 * @param living the supervisor that is alive; null: there is none
 * @param why the reason to give when there is none
 */
export function supervisorCapabilities(
  { supervisor: recorded }: ProjectState,
  living: Identity | null,
  why: string,
): Capabilities {
  if (recorded && living && sameIdentity(recorded.identity, living)) return recorded.capabilities;
  const none = { held: false, why: living ? 'the record of the supervisor is lost' : why };
  return { subreaper: none, pidfd: none, cgroup: none };
}
