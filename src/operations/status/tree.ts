import type { ContainerStatus } from '../../containers/report.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { Evidence } from '../../ownership/evidence-kinds.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import type { ProcessInfo, Snapshot } from '../../processes/snapshot.ts';
import { ticksToMs } from '../../processes/ticks.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { isOrphan, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { readContainers } from './status.ts';

/** One process of ours, with its descendants of the same service. */
export interface TreeProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly command: string;
  /** CPU time over its life, in percent of one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly ageMs: number;
  /** The state letter of the kernel: R, S, D, T (stopped) … (proc_pid_stat(5)). */
  readonly state: string;
  /** True when it has outlived the run that it belongs to. */
  readonly orphan: boolean;
  /** All evidence that it is ours. */
  readonly evidence: readonly Evidence[];
  readonly children: readonly TreeProcess[];
}

export interface ServiceTree {
  /** Null: the processes are below the supervisor, and it is not known which service started them. */
  readonly service: string | null;
  readonly processes: number;
  readonly rssBytes: number;
  readonly roots: readonly TreeProcess[];
}

export interface TreeReport {
  readonly project: string;
  readonly services: readonly ServiceTree[];
  /** The processes of devctl that contain the services. They belong to no service and end last. */
  readonly devctl: readonly {
    readonly pid: number;
    readonly role: 'supervisor' | 'guard' | 'run';
    readonly rssBytes: number;
    readonly command: string;
  }[];
  /** The containers, whose processes are the engine's. Null: the project has none. */
  readonly containers: readonly ContainerStatus[] | null;
}

/**
 * Reads every process of every service, as trees, from one look at the process table. Needs no supervisor, no
 * valid manifest and no lock, and changes nothing.
 *
 * @param names null: all services
 */
export async function readTrees(
  host: Pick<Host, 'snapshot' | 'self'>,
  project: OpenProject,
  names: readonly string[] | null,
): Promise<TreeReport> {
  const asking = names === null ? readContainers(project) : null;
  const trees = treesOf(await lookAtProject(host, project.folder), names);
  return { ...trees, containers: (await asking)?.list ?? null };
}

/** Makes the trees from a look that the caller has made. */
export function treesOf(
  { state, snapshot, claims, latest }: ProjectLook,
  names: readonly string[] | null,
): Omit<TreeReport, 'containers'> {
  const { supervisors, guards, oneOffParents } = latest;
  const known = state.records.map(({ service }) => service);
  const present = [...new Set([...known, ...claims.map(({ service }) => service)])];
  const wanted = present.filter(
    (service) => names === null || (service !== null && names.includes(service)),
  );
  const ownProcesses = [
    ...guards.map((process) => ({ process, role: 'guard' as const })),
    ...supervisors.map((process) => ({ process, role: 'supervisor' as const })),
    ...oneOffParents.map(({ process }) => ({ process, role: 'run' as const })),
  ];
  return {
    project: state.folder.root,
    services: wanted.map((service) => {
      const own = claims.filter((claim) => claim.service === service);
      return {
        service,
        processes: own.length,
        rssBytes: own.reduce((sum, { process }) => sum + process.rssBytes, 0),
        roots: growTrees(own, snapshot, (claim) => isOrphan(claim, state, snapshot)),
      };
    }),
    devctl: ownProcesses.map(({ process, role }) => ({
      pid: process.identity.pid,
      role,
      rssBytes: process.rssBytes,
      command: describeCommand(snapshot, process),
    })),
  };
}

/** Puts each process of a service below its parent. A process whose parent is not of the service is a root. */
export function growTrees(
  claims: readonly Claim[],
  snapshot: Snapshot,
  orphan: (claim: Claim) => boolean,
): readonly TreeProcess[] {
  const byPid = new Map(claims.map((claim) => [claim.process.identity.pid, claim]));
  const below = new Map<number, Claim[]>();
  const roots: Claim[] = [];
  for (const claim of claims) {
    const { ppid } = claim.process;
    const parent = byPid.has(ppid) && !isAbove(claim.process, ppid, byPid) ? ppid : null;
    if (parent === null) roots.push(claim);
    else below.set(parent, [...(below.get(parent) ?? []), claim]);
  }
  const grow = (claim: Claim): TreeProcess => {
    const { process, evidence } = claim;
    const { identity, ppid, rssBytes, cpuTicks, state } = process;
    const ageTicks = Math.max(0, snapshot.nowTicks - identity.startTicks);
    return {
      pid: identity.pid,
      ppid,
      command: describeCommand(snapshot, process),
      cpuPercent: Math.round((1000 * cpuTicks) / Math.max(1, ageTicks)) / 10,
      rssBytes,
      ageMs: ticksToMs(ageTicks),
      state,
      orphan: orphan(claim),
      evidence,
      children: [...(below.get(identity.pid) ?? [])].sort(byAge).map(grow),
    };
  };
  return [...roots].sort(byAge).map(grow);
}

/**
 * Tells whether a process is an ancestor of `top`. Such a circle can show in a process table that is read while pids
 * are reused.
 */
function isAbove(process: ProcessInfo, top: number, byPid: ReadonlyMap<number, Claim>): boolean {
  const seen = new Set<number>();
  for (let pid = top; !seen.has(pid); ) {
    if (pid === process.identity.pid) return true;
    seen.add(pid);
    const above = byPid.get(pid)?.process.ppid;
    if (above === undefined) return false;
    pid = above;
  }
  return false;
}

function byAge({ process: a }: Claim, { process: b }: Claim): number {
  return a.identity.startTicks - b.identity.startTicks || a.identity.pid - b.identity.pid;
}
