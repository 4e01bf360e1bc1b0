import type { Capabilities } from '../processes/capabilities.ts';
import type { Identity } from '../processes/identity.ts';
import { sameIdentity } from '../processes/identity.ts';
import type { ProjectState } from './project-state.ts';

/** What the living supervisor has said of itself in its record; `why` instead when there is none. */
export function supervisorCapabilities(
  { supervisor: recorded }: ProjectState,
  living: Identity | null,
  why: string,
): Capabilities {
  if (recorded && living && sameIdentity(recorded.identity, living)) return recorded.capabilities;
  const none = { held: false, why: living ? 'the record of the supervisor is lost' : why };
  return { subreaper: none, pidfd: none, cgroup: none };
}
