import { type LeaseStatus, leaseStatus, leasesAt } from '../../leases/status.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import type { ResolvedManifest, RestartPolicy } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { isRestarting, type ServiceState } from '../../project/service-record.ts';
import { livingLeader, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { stopIfLeaseEnded } from './lease.ts';
import { type StartOptions, startLocked } from './start.ts';

/** A service that a supervisor cares for now. */
export interface AdoptedService {
  readonly name: string;
  /** Null: it does not run, but is about to be started again. */
  readonly pid: number | null;
  readonly state: ServiceState;
  readonly reason: string | null;
  /** When it is started again; null: it is not in the manifest, so it is watched and never mended. */
  readonly restart: RestartPolicy['policy'] | null;
  /** Has it a liveness probe? */
  readonly live: boolean;
}

export interface AdoptResult {
  /** Null: nothing runs that would need one. */
  readonly supervisor: {
    readonly pid: number;
    /** Was it started by this, or had it taken over before? */
    readonly isNew: boolean;
  } | null;
  readonly services: readonly AdoptedService[];
  readonly leases: readonly LeaseStatus[];
}

/**
 * Makes sure that a supervisor cares for what runs: its exits are noticed, its probes asked, its policies
 * kept. Nothing that runs is touched, and nothing is started but what was to be started again when the
 * supervisor before ended.
 *
 * @throws DevctlError as `startProject`
 */
export async function adoptProject(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  { env, warn }: Pick<StartOptions, 'env' | 'warn'>,
): Promise<AdoptResult> {
  await stopIfLeaseEnded(host, folder, manifest.file, warn);
  const lock = await takeLockToStart(host, folder, 'adopt', warn);
  try {
    const before = await lookAtProject(host, folder);
    const names = caredFor(before).map(({ service }) => service);
    if (names.length === 0) return { supervisor: null, services: [], leases: [] };
    const nobody = { names: [], abortOnFailure: false };
    const wish = { ...nobody, env, warn, listen: () => {} };
    await startLocked(host, folder, manifest, wish, before);
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
    lock.release();
  }
}

/** What runs, and what was to run again; a one-off is for the command that holds it. */
function caredFor({ state, snapshot }: ProjectLook): ProjectLook['state']['records'] {
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
