import type { SupervisorClient } from '../../client/client.ts';
import {
  type Hello,
  hasSucceeded,
  type ServiceChange,
  type StartedService,
} from '../../client/protocol.ts';
import { connectToSupervisor } from '../../client/start-supervisor.ts';
import { DevctlError } from '../../errors.ts';
import { type Lease, readLeases } from '../../leases/file.ts';
import { type LeaseStatus, leaseStatus, leasesAt } from '../../leases/status.ts';
import { currentBreaches } from '../../limits/breach-file.ts';
import type { Breach } from '../../limits/evaluate.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { START_COMMAND } from '../../lock/holder.ts';
import { makeLogsFolder } from '../../logs/folder.ts';
import type { ResolvedManifest, ResolvedService } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { isDone, isRestarting } from '../../project/service-record.ts';
import { belongsAside, setAside } from '../../project/set-aside.ts';
import { isUp } from '../../services/lifecycle/states.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { thawRunGroups } from '../../tracking/run-groups.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import { type StopContext, stopRuns } from '../stop/stop-runs.ts';
import { stopIfLeaseEnded } from './lease.ts';
import { requireFreePorts } from './ports.ts';

export interface StartOptions {
  /** Services to start, with everything they depend on among them. */
  readonly names: readonly string[];
  /** When one of them fails, stop again what this start has started. */
  readonly abortOnFailure: boolean;
  /** For how long everything is to run; missing: as before. */
  readonly lease?: Lease | null;
  readonly env: Readonly<Record<string, string>>;
  readonly listen: (event: ServiceChange) => void;
  /** Told before anything is spawned; what it throws ends the start. */
  readonly reached?: (client: SupervisorClient) => Promise<void>;
  /** For what the person should know and the result does not say. */
  readonly warn: (line: string) => void;
}

export interface StartResult {
  readonly services: readonly StartedService[];
  /** Services that were taken down again because another one failed. */
  readonly aborted: readonly string[];
  /** For how long it all runs, as `status` tells it. */
  readonly leases: readonly LeaseStatus[];
  /** Limits that are exceeded already, by what ran before mostly. */
  readonly breaches: readonly Breach[];
}

/**
 * Starts services and returns when each is up or has failed. Starting what runs is success.
 *
 * @throws DevctlError 'locked', 'port-taken', 'survivors', 'supervisor-failed',
 *   'records-unwritable', 'unsafe'
 */
export async function startProject(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  options: StartOptions,
): Promise<StartResult> {
  await stopIfLeaseEnded(host, folder, manifest.file, options.warn);
  const lock = await takeLockToStart(host, folder, START_COMMAND, options.warn);
  try {
    return await startLocked(host, folder, manifest, options);
  } finally {
    lock.release();
  }
}

/**
 * As `startProject`, for a caller that holds the project lock already.
 *
 * @param look made under that lock; missing: it is made now
 */
export async function startLocked(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  options: StartOptions,
  look?: ProjectLook,
): Promise<StartResult> {
  const self = await host.self();
  makeLogsFolder(folder, manifest.logsDir);
  const services = options.names.flatMap((name) => manifest.services[name] ?? []);
  const before = look ?? (await lookAtProject(host, folder));
  const { state } = before;
  for (const { path, reason } of state.problems) options.warn(`${path}: ${reason}`);
  const context = { host, self, state };
  if (manifest.logRotation) {
    const way = await (await import('../../processes/native/cut-file.ts')).findCutWay(
      manifest.logsDir,
    );
    if (way.how === null) options.warn(`logs are not rotated here, and grow: ${way.why}`);
  }
  const { idle, alive, ...found } = await recover(context, before, services, options.warn);
  await requireFreePorts(context, found.look, idle, options.warn);

  const socket = state.supervisor?.socket ?? null;
  const { supervisors } = before.latest;
  const { client, hello } = await connectToSupervisor(host, folder, supervisors, socket);
  if (manifest.containment === 'cgroup') requireGroups(hello);
  // Not earlier: a new supervisor must see that there is a run which it knows nothing of.
  for (const problem of state.problems) {
    if (belongsAside(folder, problem)) setAside(folder, problem);
  }
  await options.reached?.(client);
  const { env, listen } = options;
  const { logsDir, logRotation, containment } = manifest;
  const interrupted = state.records.filter(isRestarting).map(({ service }) => service);
  const cared = new Set([...alive, ...interrupted]);
  const running = Object.values(manifest.services).filter(
    ({ name }) => cared.has(name) && !options.names.includes(name),
  );
  const lease = options.lease ? { lease: options.lease, manifest: manifest.file } : null;
  const limits = { limits: manifest.limits, manifest: manifest.file };
  const wanted = { services, running, env, logsDir, logRotation, containment, lease, limits };
  const result = await client.start(wanted, (event) => {
    if (event.type === 'change') listen(event);
  });
  if (result.type !== 'result') throw new Error('a start ends with its result');

  const failed = result.services.some((one) => !hasSucceeded(one));
  // What an abandoned start has started is taken down by the stop that waits for our lock.
  const takesDown = failed && options.abortOnFailure && !result.abandoned;
  const after = await host.snapshot();
  const leases = leasesOf(folder, after);
  const breaches = currentBreaches(folder, after);
  if (!takesDown) return { services: result.services, aborted: [], leases, breaches };
  const aborted = result.services
    .filter(({ alreadyRunning }) => !alreadyRunning)
    .map(({ name }) => name);
  await takeDown(context, client, aborted, options.warn);
  const reason = 'taken down again, because another one failed';
  const ended = result.services.map((one) =>
    aborted.includes(one.name) && isUp(one.state)
      ? { ...one, state: 'exited' as const, pid: null, reason }
      : one,
  );
  return { services: ended, aborted, leases, breaches };
}

function leasesOf(folder: ProjectFolder, snapshot: Snapshot): readonly LeaseStatus[] {
  const read = readLeases(folder);
  return read.kind === 'record' ? leaseStatus(leasesAt(read.record, snapshot)) : [];
}

function requireGroups({ capabilities }: Hello): void {
  const { held, why } = capabilities.cgroup;
  if (held) return;
  throw new DevctlError('start-failed', `"containment" is "cgroup", but there is none: ${why}`, {
    hint: 'nothing was started; with "auto" (the default) services are started without control groups',
  });
}

/**
 * Ends what earlier runs of these services left behind, and tells what has to be started: a service whose
 * leader is alive goes on running and is adopted.
 */
async function recover(
  context: StopContext,
  look: ProjectLook,
  services: readonly ResolvedService[],
  warn: StartOptions['warn'],
): Promise<{
  /** A new look where something was ended. */
  readonly look: ProjectLook;
  readonly idle: readonly ResolvedService[];
  /** Names of all services, asked for or not, whose leaders are alive. */
  readonly alive: ReadonlySet<string>;
}> {
  const { host, state } = context;
  const { snapshot, claims, latest } = look;
  thawRunGroups(state);
  for (const { run, detail } of latest.stale) {
    warn(`the record of ${run.service} is stale: ${detail}`);
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
  const leftover = idle
    .map(({ name }) => name)
    .filter((name) => claims.some(({ service }) => service === name));
  if (leftover.length === 0) return { look, idle, alive };
  const count = claims.filter(({ service }) => leftover.includes(service ?? '')).length;
  warn(`ending ${count} left over of earlier runs of ${leftover.join(', ')}`);
  await endLeftovers(context, leftover, warn);
  return { look: await lookAtProject(host, state.folder, state), idle, alive };
}

async function takeDown(
  context: StopContext,
  client: {
    standDown: (body: { names: readonly string[] }, ms: number) => Promise<(() => void) | null>;
  },
  names: readonly string[],
  warn: StartOptions['warn'],
): Promise<void> {
  const resume = await client.standDown({ names }, 500);
  const state = readProjectState(context.state.folder);
  const request = { names, force: false, graceMs: null, sweep: null };
  const { state: ending } = await stopRuns({ ...context, state }, request);
  resume?.();
  for (const [name, { phase }] of ending.units) {
    if (phase.kind === 'survived') warn(`${name} could not be ended again; see: devctl status`);
  }
}
