import type { Capabilities, Capability } from '../../processes/capabilities.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import {
  type Native,
  type NativeUnavailable,
  pidfdCapability,
} from '../../processes/native/native.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { supervisorCapabilities } from '../../tracking/capabilities.ts';
import type { ProjectState } from '../../tracking/project-state.ts';

/**
 * The means that a stop of these runs could rely on.
 *
 * @param guards the guards that were alive when the stop began
 * @param records the records of the runs
 */
export function stopCapabilities(
  state: ProjectState,
  supervisor: Identity | null,
  guards: readonly ProcessInfo[],
  records: readonly ServiceRecord[],
  native: Native | NativeUnavailable,
): Capabilities {
  const recorded = supervisorCapabilities(state, supervisor, 'no supervisor was alive');
  const guarded = records.every(({ guard }) =>
    guards.some(({ identity }) => guard !== null && sameIdentity(guard, identity)),
  );
  const subreaper: Capability =
    records.length > 0 && guarded ? { held: true, why: null } : recorded.subreaper;
  // A run that was never spawned needs no control group.
  const without = records.find(({ cgroup, leader }) => leader !== null && !cgroup?.held);
  const cgroup: Capability =
    records.length > 0 && !without
      ? { held: true, why: null }
      : {
          held: false,
          // The record of a dead supervisor counts too: it had no control groups, which is still true.
          why:
            state.supervisor?.capabilities.cgroup.why ??
            (without ? `${without.service} was started without one` : 'nothing was recorded'),
        };
  return { subreaper, pidfd: pidfdCapability(native), cgroup };
}
