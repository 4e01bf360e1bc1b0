/*
 * The files of this folder: how services are started.
 *
 *   start    starts services, and waits until each is up or has failed
 *   result   how a start ended
 *   adopt    makes sure that a supervisor cares for the services that run
 *   apply    brings what runs in line with the manifest
 *   take-down  ends again what a start has started
 *   ad-hoc   services that the command line defines
 *   restart  stops services with proof, and starts them again under one lock
 *   containers  brings up the containers that services need, before them or alone
 *   lease    makes the lease of a start; stops everything first if the last lease has ended
 *   ports    makes sure that the ports of the services are free
 *   terminals  makes sure that the services get the terminals that they need
 */
import type { SupervisorClient } from '../../client/client.ts';
import { findSupervisor } from '../../client/connect.ts';
import {
  type Hello,
  hasSucceeded,
  type ServiceChange,
  type StartRequest,
} from '../../client/protocol.ts';
import { connectToSupervisor } from '../../client/start-supervisor.ts';
import type { ContainerChange, StartedContainer } from '../../containers/up.ts';
import { DevctlError } from '../../errors.ts';
import { type Lease, readLeases } from '../../leases/file.ts';
import type { LeaseStatus } from '../../leases/lease-status.ts';
import { leaseStatus, leasesAt } from '../../leases/status.ts';
import { currentBreaches } from '../../limits/breach-file.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { START_COMMAND } from '../../lock/holder.ts';
import { makeLogsFolder } from '../../logs/folder.ts';
import { requireReadableEnvFiles, warnOfEnvFiles } from '../../manifest/env-file.ts';
import type { ResolvedManifest, ResolvedService } from '../../manifest/resolved.ts';
import { ancestry } from '../../ownership/ancestry.ts';
import type { Claim, Spared } from '../../ownership/claim.ts';
import { isRunCommand } from '../../ownership/devctl-argv.ts';
import type { Host } from '../../processes/host.ts';
import { sameMachine } from '../../processes/identity.ts';
import { livesNow } from '../../processes/lives-now.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import { hashDefinition, makeDefinitionKey } from '../../project/definition-hash.ts';
import { logsFolderOf, type ProjectFolder } from '../../project/folder.ts';
import { isDone, isRestarting, type ServiceRecord } from '../../project/service-record.ts';
import { mustSetAside, setAside } from '../../project/set-aside.ts';
import { trackClaims } from '../../tracking/claim-tracker.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { outputsReader } from '../../tracking/open-files.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { thawRunGroups } from '../../tracking/run-groups.ts';
import { listStaleRecords } from '../../tracking/stale-records.ts';
import { changesIn } from '../status/changes.ts';
import { endLeftovers, leftoversInWords, requireNoDoubts } from '../stop/leftovers.ts';
import type { StopContext } from '../stop/stop-runs.ts';
import { isAdHocService, serviceOfRecord } from './ad-hoc.ts';
import { stopIfLeaseEnded } from './lease.ts';
import { requireFreePorts } from './ports.ts';
import type { StartResult } from './result.ts';
import { STAND_DOWN_MS, takeDown } from './take-down.ts';
import { requireTerminals } from './terminals.ts';

export interface StartOptions {
  /** The services to start, with all their dependencies among them. */
  readonly names: readonly string[];
  /** True: when one of them fails, the start ends again those that it has started. */
  readonly abortOnFailure: boolean;
  /** The lease that everything runs on. Missing: the lease stays as it is. */
  readonly lease?: Lease | null;
  readonly env: Readonly<Record<string, string>>;
  /** True where a person looks at a terminal, so that services may use colours. Default: false. */
  readonly onTerminal?: boolean;
  readonly onChange: (event: ServiceChange) => void;
  /** Which containers are brought up: all that the manifest lists, or those that the services need (default). */
  readonly containers?: 'all' | 'needed';
  readonly onContainer?: (change: ContainerChange) => void;
  /** Told what compose writes. */
  readonly onComposeLine?: (line: string) => void;
  /** Gives up the containers that are not up yet when it is aborted. */
  readonly over?: AbortSignal;
  /** Called before anything is spawned. An error of the callback ends the start. */
  readonly onConnected?: (client: SupervisorClient) => Promise<void>;
  /** Told what the user should know and the result does not say. */
  readonly warn: (line: string) => void;
}

/**
 * Starts services, and returns when each is up or has failed. To start a running service is a success.
 *
 * @throws DevctlError 'manifest-invalid' for an env file, 'manifest-unsupported' for a terminal, 'locked', 'port-taken', 'survivors', 'supervisor-failed',
 *   'records-unwritable', 'unsafe'
 */
export async function startProject(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  options: StartOptions,
): Promise<StartResult> {
  requireReadableEnvFiles(manifest, options.names, options.warn);
  await requireTerminals(manifest, options.names);
  await requireUsableCompose(manifest, options);
  await stopIfLeaseEnded(host, folder, manifest.file, options.warn);
  const lock = await takeLockToStart(host, folder, START_COMMAND, options.warn);
  try {
    return await startLocked(host, lock.folder, manifest, options);
  } finally {
    lock.release();
  }
}

/**
 * Does the same for a caller that already holds the project lock.
 *
 * @param look made under that lock. Missing: it is made now
 */
export async function startLocked(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  options: StartOptions,
  look?: ProjectLook,
): Promise<StartResult> {
  const { names, warn } = options;
  const self = await host.self();
  const placed = { ...manifest, logsDir: logsFolderOf(folder, manifest) };
  makeLogsFolder(folder, placed.logsDir);
  const before = look ?? (await lookAtProject(host, folder));
  const { state } = before;
  for (const { path, reason } of state.problems) warn(`${path}: ${reason}`);
  await warnOfGrowingLogs(placed, warn);
  const context = { host, self, state };
  const services = names.flatMap((name) => manifest.services[name] ?? []);
  const { idle, alive, ...cleared } = await endOldRuns(context, before, manifest, services, warn);
  await requireFreePorts(context, cleared.look, idle, warn);

  const containers = await bringUpContainers(
    host,
    folder,
    manifest,
    options,
    cleared.look.snapshot,
  );
  const client = await connect(host, manifest, before);
  await options.onConnected?.(client);
  const adopted = withInterrupted(alive, state);
  warnOfUnreadable(manifest, adopted, options);
  const request = {
    ...startRequest(withRecorded(placed, state.records), options, services, adopted),
    definitions: hashesOf(folder, manifest),
  };
  const result = await client.start(request, (event) => {
    if (event.type === 'change') options.onChange(event);
  });
  if (result.type !== 'result') throw new Error('a start ends with its result');

  const isOld = result.services.some(({ alreadyRunning }) => alreadyRunning);
  const changes = isOld ? changesIn(before, folder, manifest) : null;
  const found = {
    abandoned: result.abandoned,
    changed: result.services.flatMap(({ name, alreadyRunning }) => {
      const keys = changes?.get(name) ?? [];
      return alreadyRunning && keys.length > 0 ? [{ service: name, keys }] : [];
    }),
    leases: await leasesOf(host, folder),
    breaches: currentBreaches(folder, livesNow),
    containers: containers.started,
  };
  const failed = result.services.some((service) => !hasSucceeded(service));
  // The stop that waits for our lock ends the services of an abandoned start.
  if (!failed || !options.abortOnFailure || result.abandoned) {
    return { services: result.services, aborted: [], ...found };
  }
  const ended = await takeDown(context, client, manifest, result.services, warn);
  await containers.takeDown();
  return { ...ended, ...found, containers: [] };
}

/** Requires compose files that can be used, before anything is stopped or made. */
export async function requireUsableCompose(
  { containers, root }: ResolvedManifest,
  { names, env }: Pick<StartOptions, 'names' | 'env'>,
): Promise<void> {
  if (containers === null) return;
  const { requireCompose } = await import('../../containers/check.ts');
  requireCompose(containers, root, names, env);
}

/** The containers that a start has brought up. */
interface ContainersUp {
  readonly started: readonly StartedContainer[];
  /** Takes down again what this start has brought up. */
  takeDown(): Promise<void>;
}

async function bringUpContainers(
  host: Host,
  folder: ProjectFolder,
  { containers: settings }: ResolvedManifest,
  options: StartOptions,
  snapshot: Snapshot,
): Promise<ContainersUp> {
  if (settings === null) return { started: [], takeDown: async () => {} };
  const { startContainersLocked } = await import('./containers.ts');
  return startContainersLocked(host, folder, settings, options, snapshot);
}

async function warnOfGrowingLogs(
  { logRotation, logsDir }: ResolvedManifest,
  warn: StartOptions['warn'],
): Promise<void> {
  if (!logRotation) return;
  const { findCutWay } = await import('../../processes/native/cut-file.ts');
  const way = await findCutWay(logsDir);
  if (way.how === null) warn(`logs are not rotated here, and grow: ${way.why}`);
}

/** Finds or starts the supervisor, and sets aside the files of `.pids` that cannot be used. */
async function connect(
  host: Host,
  { containment }: ResolvedManifest,
  { state, latest }: ProjectLook,
): Promise<SupervisorClient> {
  const { folder, supervisor, problems } = state;
  const socket = supervisor?.socket ?? null;
  const found = await connectToSupervisor(host, folder, latest.supervisors, socket);
  if (containment === 'cgroup') requireGroups(found.hello);
  // Not earlier, because a damaged record tells a new supervisor that a run exists of which it knows nothing.
  for (const problem of problems) if (mustSetAside(folder, problem)) setAside(folder, problem);
  return found.client;
}

function requireGroups({ capabilities }: Hello): void {
  const { held, why } = capabilities.cgroup;
  if (held) return;
  throw new DevctlError('start-failed', `"containment" is "cgroup", but there is none: ${why}`, {
    hint: 'nothing was started; with "auto" (the default) services are started without control groups',
  });
}

/** Warns of services that a restart by policy would start without the variables that cannot be read. */
function warnOfUnreadable(
  manifest: ResolvedManifest,
  adopted: ReadonlySet<string>,
  { names, warn }: StartOptions,
): void {
  const others = [...adopted].filter((name) => !names.includes(name));
  if (others.length > 0) warnOfEnvFiles(manifest, 'problem', others, warn);
}

/** Adds the services that were about to be restarted when their supervisor ended. */
function withInterrupted(
  alive: ReadonlySet<string>,
  { records }: ProjectState,
): ReadonlySet<string> {
  return new Set([...alive, ...records.filter(isRestarting).map(({ service }) => service)]);
}

/** Adds the services that the command line has defined: a new supervisor adopts them, too. */
function withRecorded(
  manifest: ResolvedManifest,
  records: ProjectState['records'],
): ResolvedManifest {
  const recorded = records.filter(
    (record) => isAdHocService(record) && !Object.hasOwn(manifest.services, record.service),
  );
  const services = recorded.map((one) => [one.service, serviceOfRecord(manifest, one)] as const);
  return { ...manifest, services: { ...manifest.services, ...Object.fromEntries(services) } };
}

/** @param adopted names of the services that the supervisor cares for from now on, whether they are started or not */
function startRequest(
  manifest: ResolvedManifest,
  { names, env, onTerminal = false, lease }: StartOptions,
  services: readonly ResolvedService[],
  adopted: ReadonlySet<string>,
): StartRequest {
  const { logsDir, logRotation, containment, protection, limits, file, notify, name } = manifest;
  return {
    services,
    running: Object.values(manifest.services).filter(
      ({ name }) => adopted.has(name) && !names.includes(name),
    ),
    env,
    onTerminal,
    logsDir,
    logRotation,
    containment,
    protection,
    lease: lease ? { lease, manifest: file } : null,
    limits: { limits, manifest: file },
    ...(notify === null ? {} : { notify: { how: notify, project: name } }),
  };
}

/** The definitions of all services for their records. */
function hashesOf(
  folder: ProjectFolder,
  { definitions }: ResolvedManifest,
): NonNullable<StartRequest['definitions']> {
  const key = makeDefinitionKey(folder);
  const hashes = Object.entries(definitions).flatMap(([name, definition]) =>
    key && definition ? [[name, hashDefinition(key, name, definition)] as const] : [],
  );
  return Object.fromEntries(hashes);
}

/** Looks at the process table only where there is a lease, because most projects have none. */
async function leasesOf(
  host: Pick<Host, 'snapshot'>,
  folder: ProjectFolder,
): Promise<readonly LeaseStatus[]> {
  const read = readLeases(folder);
  return read.kind === 'record' ? leaseStatus(leasesAt(read.record, await host.snapshot())) : [];
}

interface OldRunsEnded {
  /** A new look if anything was ended; otherwise the look of before. */
  readonly look: ProjectLook;
  /** The services that are to be spawned. */
  readonly idle: readonly ResolvedService[];
  /** The names of all services whose leaders are alive, whether they are to be started or not. */
  readonly alive: ReadonlySet<string>;
}

/**
 * Ends the processes that earlier runs of these services have left behind. A service whose leader is alive goes on,
 * and the supervisor adopts it.
 */
async function endOldRuns(
  context: StopContext,
  look: ProjectLook,
  manifest: ResolvedManifest,
  services: readonly ResolvedService[],
  warn: StartOptions['warn'],
): Promise<OldRunsEnded> {
  const { host, state } = context;
  const { snapshot, claims, latest } = look;
  thawRunGroups(state);
  for (const { service, detail } of listStaleRecords(state, latest.stale)) {
    warn(`the record of ${service} is stale: ${detail}`);
  }
  const alive = new Set(
    state.records
      .filter(({ leader }) => leader && livesIn(snapshot, leader))
      .map(({ service }) => service),
  );
  const done = new Set(state.records.filter(isDone).map(({ service }) => service));
  const idle = services.filter(
    ({ name, oneShot }) => !alive.has(name) && !(oneShot && done.has(name)),
  );
  const idleNames = idle.map(({ name }) => name);
  const unknown = unknownServices(look, manifest);
  const ended = [...idleNames, ...unknown];
  const isUnproved = (record: ServiceRecord): boolean =>
    idleNames.includes(record.service) && mayHaveLeft(record, snapshot);
  // Once the record is overwritten, nothing ties a process to that run but the log that it writes to.
  const deep = state.records.some(isUnproved)
    ? await lookAtOutputs(context, snapshot, new Set(ended))
    : null;
  const all = deep?.claims ?? claims;
  const leftover = ended.filter((name) => all.some(({ service }) => service === name));
  // The records of the runs are gone, as after `git clean`. Else one of the services that run may have left it.
  const isOfOther = ({ service }: Claim): boolean => service !== null && !ended.includes(service);
  const isLost = done.size === 0 && !claims.some(isOfOther);
  const nameless = isLost ? claims.filter(isNameless) : [];
  const { spared } = deep ?? latest;
  requireNoDoubts(spared, state, isLost ? [...ended, UNATTRIBUTED] : ended);
  if (leftover.length === 0 && nameless.length === 0) return { look, idle, alive };
  const units = nameless.length > 0 ? [...leftover, UNATTRIBUTED] : leftover;
  warn(`ending ${leftoversInWords(all, units, snapshot)}`);
  const resume = unknown.length > 0 ? await standDown(look, unknown) : null;
  try {
    await endLeftovers(context, units, warn);
  } finally {
    resume?.();
  }
  return { look: await lookAtProject(host, state.folder, state), idle, alive };
}

/**
 * Tells whether an ended run may have left a process that an ordinary look does not find: no control group held it, and
 * the subreaper that it had is gone, which may have been killed.
 */
function mayHaveLeft(record: ServiceRecord, snapshot: Snapshot): boolean {
  const { cgroup, subreaper, supervisor, guard } = record;
  if (!sameMachine(record, snapshot) || cgroup?.held) return false;
  return !subreaper || ![supervisor, guard].some((one) => one && livesIn(snapshot, one));
}

/** Looks at a snapshot once more, with the evidence of open logs and FIFOs. */
async function lookAtOutputs(
  { self, state }: StopContext,
  snapshot: Snapshot,
  wanted: ReadonlySet<string>,
): Promise<{ readonly claims: readonly Claim[]; readonly spared: readonly Spared[] }> {
  const tracker = trackClaims({
    state,
    self,
    names: new Set(),
    wanted,
    keepsCommands: false,
    readOpenFiles: outputsReader(state),
  });
  const claims = [...(await tracker.deepScan(snapshot)).values()];
  return { claims, spared: tracker.latest().spared };
}

/**
 * Finds the services of which a process lives although neither a record nor the manifest has them: renamed, and then the
 * records were removed. A start can only leave them or end them, and nothing else would ever end them. The command of a
 * living `devctl run` is no service, and its parent ends it.
 */
function unknownServices(
  { state, snapshot, claims }: ProjectLook,
  manifest: ResolvedManifest,
): readonly string[] {
  const isOneOff = ({ process }: Claim): boolean =>
    ancestry(process.ppid, snapshot).some((above) =>
      isRunCommand(snapshot.details.argv(above) ?? []),
    );
  const oneOffs = new Set(claims.filter(isOneOff).map(({ runId }) => runId));
  const names = claims.flatMap(({ service, runId }) => {
    if (service === null || Object.hasOwn(manifest.services, service) || oneOffs.has(runId))
      return [];
    return state.records.some((record) => record.service === service) ? [] : [service];
  });
  return [...new Set(names)];
}

/** Keeps a supervisor that has lost its records from starting again what is about to end. */
async function standDown(
  { state: { folder, supervisor }, latest }: ProjectLook,
  names: readonly string[],
): Promise<(() => void) | null> {
  const found = await findSupervisor(folder, latest.supervisors, supervisor?.socket ?? null);
  return found ? found.client.standDown({ names }, STAND_DOWN_MS) : null;
}

/** A process of ours that no evidence ties to a service. A line of an old script alone is no reason to end it now. */
function isNameless({ service, evidence }: Claim): boolean {
  return service === null && evidence.some(({ kind }) => kind !== 'founding-file');
}
