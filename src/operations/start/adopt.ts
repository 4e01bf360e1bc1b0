import type { LeaseStatus } from '../../leases/lease-status.ts';
import { leaseStatus, leasesAt } from '../../leases/status.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import type { ResolvedManifest, RestartPolicy } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { isRestarting, type ServiceState } from '../../project/service-record.ts';
import { livingLeader, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { stopIfLeaseEnded } from './lease.ts';
import { type StartOptions, startLocked } from './start.ts';

/** A service that the supervisor has adopted. */
export interface AdoptedService {
  readonly name: string;
  /** Null: it does not run, but is about to be restarted. */
  readonly pid: number | null;
  readonly state: ServiceState;
  readonly reason: string | null;
  /** Null: it is not in the manifest, so the supervisor notices its end but never restarts it. */
  readonly restart: RestartPolicy['policy'] | null;
  /** True when it has a liveness probe. */
  readonly live: boolean;
}

export interface AdoptResult {
  /** Null: no service runs that needs a supervisor. */
  readonly supervisor: {
    readonly pid: number;
    /** True when this adoption has started the supervisor. */
    readonly isNew: boolean;
  } | null;
  readonly services: readonly AdoptedService[];
  readonly leases: readonly LeaseStatus[];
}

/**
 * Makes sure that a supervisor cares for the services that run: it notices their exits, probes them, and applies their
 * restart policies. Running processes are left as they are. Only services are started that the supervisor before was
 * about to restart when it ended.
 *
 * @throws DevctlError as `startProject`
 */
export async function adoptProject(
  host: Host,
  unsettled: ProjectFolder,
  manifest: ResolvedManifest,
  { env, warn }: Pick<StartOptions, 'env' | 'warn'>,
): Promise<AdoptResult> {
  await stopIfLeaseEnded(host, unsettled, manifest.file, warn);
  const { folder, release } = await takeLockToStart(host, unsettled, 'adopt', warn);
  try {
    const before = await lookAtProject(host, folder);
    const names = recordsToAdopt(before).map(({ service }) => service);
    if (names.length === 0) return { supervisor: null, services: [], leases: [] };
    const startNothing = { names: [], abortOnFailure: false, env, warn, onChange: () => {} };
    await startLocked(host, folder, manifest, startNothing, before);
    const after = await lookAtProject(host, folder);
    const [supervisor] = after.latest.supervisors;
    if (!supervisor) throw new Error('a supervisor that has just answered is gone');
    const { pid } = supervisor.identity;
    const known = before.latest.supervisors.map(({ identity }) => identity.pid);
    return {
      supervisor: { pid, isNew: !known.includes(pid) },
      services: describe(after, names, manifest),
      leases: leaseStatus(leasesAt(after.state.lease, after.snapshot)),
    };
  } finally {
    release();
  }
}

/** The records of services that run or are about to be restarted. A one-off belongs to its `devctl run`. */
function recordsToAdopt({ state, snapshot }: ProjectLook): ProjectLook['state']['records'] {
  return state.records.filter(
    (record) => !record.oneOff && (livingLeader(record, snapshot) || isRestarting(record)),
  );
}

function describe(
  { state, snapshot }: ProjectLook,
  names: readonly string[],
  { services }: ResolvedManifest,
): readonly AdoptedService[] {
  return state.records
    .filter(({ service }) => names.includes(service))
    .map((record) => ({
      name: record.service,
      pid: livingLeader(record, snapshot)?.pid ?? null,
      state: record.state,
      reason: record.reason,
      restart: services[record.service]?.restart.policy ?? null,
      live: (services[record.service]?.live ?? null) !== null,
    }));
}
