/*
 * The files of this folder: how a project is described. Nothing here changes anything.
 *
 *   status    the state of each service, by its record and the process table
 *   report    the answer
 *   listening  the ports that services listen on
 *   urls      where services can be opened
 *   changes   what has changed in the manifest since services were started
 *   tree      the processes of each service, as trees
 *   all       every project of this user
 *   observe   looks again and again, for the monitor
 *   activity  what happened, for `devctl report`
 */

import type { ContainersStatus } from '../../containers/report.ts';
import { leaseStatus, leasesAt } from '../../leases/status.ts';
import { currentBreaches } from '../../limits/breach-file.ts';
import { findOversizedLogs } from '../../logs/oversized.ts';
import type { OutlinedService } from '../../manifest/outline.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { allPorts, byProtocol, type Port, portOf } from '../../processes/ports.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../../processes/snapshot.ts';
import { ticksToMs } from '../../processes/ticks.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { hadContainers } from '../../project/place/containers-copy.ts';
import { readRecords } from '../../project/records.ts';
import { isDone, type ServiceRecord } from '../../project/service-record.ts';
import { supervisorCapabilities } from '../../tracking/capabilities.ts';
import { isOrphan, livingLeader, lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { listStaleRecords } from '../../tracking/stale-records.ts';
import { readChanges } from './changes.ts';
import { type ListeningSockets, listeningSockets, portsOf } from './listening.ts';
import type { ServiceStatus, StatusReport } from './report.ts';
import { openUrlReader, ownPorts, type UrlReader, urlsOf } from './urls.ts';

/**
 * Describes the project from its records and one look at the process table. Needs no supervisor, no
 * valid manifest and no lock, and changes nothing.
 *
 * @param names null: all services
 */
export async function readStatus(
  host: Pick<Host, 'snapshot' | 'self'>,
  project: OpenProject,
  names: readonly string[] | null,
  withUrls = false,
): Promise<StatusReport> {
  const asking = names === null ? readContainers(project) : null;
  const look = await lookAtProject(host, project.folder);
  const urls = withUrls ? openUrlReader(project.folder) : null;
  const report = statusOf(look, project, names, await listeningSockets(look), urls);
  return withContainers(report, await asking);
}

/** Asks for the containers of a project; a project that never had any costs one look. */
export async function readContainers(project: OpenProject): Promise<ContainersStatus | null> {
  const { folder, outline } = project;
  const isDeclared = outline.kind !== 'absent' && outline.hasContainers;
  if (!isDeclared && !hadContainers(folder)) return null;
  const { lookAtContainers } = await import('../../containers/look.ts');
  return lookAtContainers(folder, process.env, namesDoneWithout(project));
}

/** The compose services that services which run depend on, where a start goes on without them. */
function namesDoneWithout({ folder, outline }: OpenProject): readonly string[] {
  if (outline.kind === 'absent' || !outline.startsWithoutContainers) return [];
  const running = readRecords(folder).records.flatMap((one) => (one.leader ? [one.service] : []));
  const services = new Set(outline.services.map(({ name }) => name));
  const needed = outline.services
    .filter(({ name }) => running.includes(name))
    .flatMap(({ dependsOn }) => dependsOn.filter((name) => !services.has(name)));
  return [...new Set(needed)];
}

/** Adds the containers to a report: it is healthy only where they are. A project may have nothing else. */
export function withContainers(
  report: StatusReport,
  containers: ContainersStatus | null,
): StatusReport {
  const { services, orphans } = report;
  const isUp = services.length > 0 || containers === null ? report.healthy : orphans.length === 0;
  return { ...report, containers, healthy: isUp && containers?.healthy !== false };
}

/**
 * Describes the project from a look that the caller has made.
 *
 * @param listening null where nobody can tell who listens
 * @param readUrls null: nobody asks for URLs
 */
export function statusOf(
  look: ProjectLook,
  project: OpenProject,
  names: readonly string[] | null,
  listening: ListeningSockets | null,
  readUrls: UrlReader | null = null,
): StatusReport {
  const { state, snapshot, claims, latest } = look;
  const { folder, outline } = project;
  const { supervisors, stale } = latest;
  const changes = readChanges(look, project);
  const known = state.records.map(({ service }) => service);

  const manifest = outline.kind === 'absent' ? [] : outline.services;
  const all = [...new Set([...manifest.map(({ name }) => name), ...known])];
  const services = withLateBlockers(
    all
      .filter((name) => names === null || names.includes(name))
      .map((name) => {
        const record = state.records.find(({ service }) => service === name) ?? null;
        const planned = manifest.find((service) => service.name === name);
        const autostart = planned?.autostart ?? false;
        const ports = allPorts(record ?? planned ?? { ports: [] });
        const own = claims.filter(({ service }) => service === name);
        const wanted = autostart || record !== null;
        const declared = new Map(ports.map((port) => [port, planned?.portNames.get(port) ?? null]));
        const changed = changes.get(name) ?? null;
        const isDeclared = planned !== undefined;
        const isNamed = isDeclared || outline.kind !== 'found';
        const named = { isDeclared, isNamed };
        const facts = { record, own, snapshot, declared, wanted, listening, changed, ...named };
        return { ...describe(name, facts), urls: readUrls && urlsNow(facts, planned, readUrls) };
      }),
  );

  const list = (members: readonly Claim[]): StatusReport['orphans'] =>
    members.map(({ process, service, evidence }) => ({
      pid: process.identity.pid,
      command: describeCommand(snapshot, process),
      service,
      evidence,
    }));
  const asked = claims.filter(({ service }) => names === null || names.includes(service ?? ''));
  const orphans = list(asked.filter((claim) => isOrphan(claim, state, snapshot)));
  const nobodys = asked.filter(({ service }) => service === null);
  const unattributed = list(nobodys.filter((claim) => !isOrphan(claim, state, snapshot)));
  const up = services.every((one) => !one.wanted || isUpOrDone(one));
  const supervisor = supervisors[0]?.identity;
  const lease = leasesAt(state.lease, snapshot);
  return {
    project: folder.root,
    services,
    orphans,
    unattributed,
    leases: leaseStatus(lease),
    breaches: currentBreaches(folder, (supervisor) => livesIn(snapshot, supervisor)).filter(
      ({ service }) => names === null || service === null || names.includes(service),
    ),
    supervisor: supervisor ? { pid: supervisor.pid } : null,
    capabilities: supervisorCapabilities(state, supervisor ?? null, 'no supervisor is running'),
    stale: listStaleRecords(state, stale),
    problems: [
      ...(outline.kind === 'broken' ? [outline.why] : []),
      ...state.problems.map(({ path, reason }) => `${path}: ${reason}`),
      ...(lease.kind === 'ended' && !supervisor ? [describeUnhonoured(lease.why)] : []),
      ...findOversizedLogs(state.records).map((what) => `${what}; why: ${DEVCTL} doctor`),
      ...supervisors.filter(({ state: now }) => now === 'T').map(describeSuspended),
    ],
    containers: null,
    healthy: up && services.some(({ wanted }) => wanted) && orphans.length === 0,
  };
}

function isUpOrDone({ state, done }: Pick<ServiceStatus, 'state' | 'done'>): boolean {
  return done || state === 'ready' || state === 'running';
}

/** Words what blocked a service that was not started, where it is up by now: nothing more has to be mended. */
function withLateBlockers(services: readonly ServiceStatus[]): readonly ServiceStatus[] {
  const up = new Set(services.filter(isUpOrDone).map(({ name }) => name));
  return services.map((one) => {
    const { blockedBy } = one;
    if (blockedBy.length === 0 || !blockedBy.every((name) => up.has(name))) return one;
    const were = blockedBy.length === 1 ? 'was' : 'were';
    const reason = `${blockedBy.join(', ')} ${were} not up in time, and ${were === 'was' ? 'is' : 'are'} up now`;
    return { ...one, reason };
  });
}

function describeUnhonoured(why: string): string {
  return `${why}, but there was no supervisor to stop what runs: ${DEVCTL} stop, or ${DEVCTL} start to begin anew`;
}

/** A supervisor is suspended by Ctrl-Z, a debugger, or a stop that was killed. It neither reaps nor notices exits. */
function describeSuspended({ identity: { pid } }: ProcessInfo): string {
  return `the supervisor (pid ${pid}) is suspended; go on with it: kill -CONT ${pid}, or replace it: ${DEVCTL} start`;
}

/** The facts from which one line of `devctl status` is made. */
interface Facts {
  readonly record: ServiceRecord | null;
  /** The claims of this service. */
  readonly own: readonly Claim[];
  readonly snapshot: Snapshot;
  /** The declared ports, with their names. */
  readonly declared: ReadonlyMap<Port, string | null>;
  readonly wanted: boolean;
  readonly listening: ListeningSockets | null;
  readonly changed: readonly string[] | null;
  /** True where the manifest names it. */
  readonly isDeclared: boolean;
  /** The same, or nobody can tell. */
  readonly isNamed: boolean;
}

function describe(
  name: string,
  { record, own, snapshot, declared, wanted, listening, changed, isDeclared, isNamed }: Facts,
): Omit<ServiceStatus, 'urls'> {
  const leader = record && livingLeader(record, snapshot);
  const { nowTicks } = snapshot;
  const lifeTicks = Math.max(
    1,
    ...own.map(({ process }) => nowTicks - process.identity.startTicks),
  );
  const cpuTicks = own.reduce((sum, { process }) => sum + process.cpuTicks, 0);
  const orphans = own.filter((claim) =>
    isOrphan(claim, { records: record ? [record] : [] }, snapshot),
  );
  return {
    name,
    ...stateOf({ record, own, snapshot, listening }),
    blockedBy: record?.state === 'failed' ? (record.blockedBy ?? []) : [],
    done: record !== null && isDone(record),
    daemon: record?.daemon ?? false,
    exit: record?.exit ?? null,
    pid: leader?.pid ?? null,
    uptimeMs: leader ? ticksToMs(Math.max(0, nowTicks - leader.startTicks)) : null,
    processes: own.length,
    orphans: orphans.length,
    rssBytes: own.reduce((sum, { process }) => sum + process.rssBytes, 0),
    cpuPercent: Math.round((1000 * cpuTicks) / lifeTicks) / 10,
    ...byProtocol([...declared.keys()]),
    listening: listening && portsOf(name, declared, listening),
    restarts: record?.restarts ?? 0,
    wanted,
    oneOff: (record?.oneOff ?? null) !== null,
    changed,
    adHoc: !isDeclared && record?.adHoc === true && !record.oneOff,
    undeclared: !isNamed && own.length > 0 && record !== null && !record.oneOff && !record.adHoc,
  };
}

function urlsNow(
  { record, snapshot, listening }: Pick<Facts, 'record' | 'snapshot' | 'listening'>,
  planned: OutlinedService | undefined,
  read: UrlReader,
): readonly string[] {
  if (!record || !livingLeader(record, snapshot)) return [];
  const listened = listening?.byService.get(record.service)?.map(({ port }) => port) ?? [];
  const own = new Set([...ownPorts(record, planned), ...listened]);
  return urlsOf(planned?.http ?? [], read(record), own);
}

/** The state of the record, corrected by the process table: the leader or the supervisor may have ended since. */
function stateOf({
  record,
  own,
  snapshot,
  listening,
}: Pick<Facts, 'record' | 'own' | 'snapshot' | 'listening'>): Pick<
  ServiceStatus,
  'state' | 'reason'
> {
  if (!record) {
    const reason = own.length > 0 ? 'there is no record of it, but processes of it run' : null;
    return { state: 'stopped', reason };
  }
  const { state, reason } = record;
  const alive = livingLeader(record, snapshot) !== null;
  if (alive || state === 'exited' || state === 'failed') {
    const isOpen = (port: number): boolean =>
      listening === null ||
      listening.all.some((one) => portOf(one) === port && !listening.strangers.has(one));
    const closed = state === 'ready' ? record.readyPorts?.find((port) => !isOpen(port)) : undefined;
    if (closed === undefined) return { state, reason };
    return { state: 'unhealthy', reason: `port ${closed} is not listened on now` };
  }
  const isSupervised = livesIn(snapshot, record.supervisor);
  if (state === 'backoff') {
    if (isSupervised) return { state, reason };
    const interrupted = `but its supervisor ended before that; go on with it: ${DEVCTL} adopt`;
    return { state: 'failed', reason: `${reason}, ${interrupted}` };
  }
  if (record.leader === null) {
    if (isSupervised && state === 'starting') return { state, reason };
    return { state: 'failed', reason: 'its start was interrupted' };
  }
  const how = isSupervised ? 'its supervisor is about to say how' : 'how is not known';
  return { state: 'exited', reason: `its leader has ended, ${how}` };
}
