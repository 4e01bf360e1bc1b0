import type { SupervisorClient } from '../../client/client.ts';
import { hasSucceeded } from '../../client/protocol.ts';
import type { StartedService } from '../../client/started-service.ts';
import { inWords } from '../../errors.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
import { isoTime } from '../../processes/clock.ts';
import { readRecord, writeRecord } from '../../project/records.ts';
import type { ServiceState } from '../../project/service-record.ts';
import { isUp } from '../../services/lifecycle/states.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { type StopContext, stopRuns } from '../stop/stop-runs.ts';
import type { StartResult } from './result.ts';

/** The time that the supervisor has to stand down before a start ends services, in ms. */
export const STAND_DOWN_MS = 500;

/**
 * Ends the services that a start has started, because one of all has failed. Their records say so afterwards.
 */
export async function takeDown(
  context: StopContext,
  client: SupervisorClient,
  manifest: Pick<ResolvedManifest, 'services'>,
  services: readonly StartedService[],
  warn: (line: string) => void,
): Promise<Pick<StartResult, 'services' | 'aborted'>> {
  const { folder } = context.state;
  const begun = services.flatMap(({ alreadyRunning, name }) => (alreadyRunning ? [] : [name]));
  const resume = await client.standDown({ names: begun }, STAND_DOWN_MS);
  const request = { names: begun, force: false, graceMs: null, sweep: null };
  const { state: stopped } = await stopRuns(
    { ...context, state: readProjectState(folder) },
    request,
  );
  const reason = `stopped again, because ${firstFailure(manifest, services)} failed`;
  const after = services.map((service) => {
    const { name } = service;
    if (!begun.includes(name)) return service;
    if (stopped.units.get(name)?.phase.kind !== 'survived')
      return endOf(service, manifest.services[name]?.oneShot ?? false, reason);
    warn(`${name} could not be ended again; see: ${DEVCTL} status`);
    return service;
  });
  const ended = after.filter((service) => !services.includes(service));
  for (const service of ended) recordEnd(context, service, warn);
  resume?.();
  const aborted = after.filter((service) => service.reason === reason).map(({ name }) => name);
  return { services: after, aborted };
}

/** The first service that failed by itself, and not because a service that it depends on had failed. */
function firstFailure(
  manifest: Pick<ResolvedManifest, 'services'>,
  services: readonly StartedService[],
): string | undefined {
  const failed = services.filter((service) => !hasSucceeded(service));
  const names = new Set(failed.map(({ name }) => name));
  const byThemselves = failed.filter(({ name }) =>
    Object.keys(manifest.services[name]?.dependsOn ?? {}).every((needed) => !names.has(needed)),
  );
  return byThemselves.sort((a, b) => a.tookMs - b.tookMs)[0]?.name;
}

/** Describes a service whose processes are gone now. A service that had ended before keeps its state. */
function endOf(service: StartedService, isTask: boolean, reason: string): StartedService {
  const { state, done } = service;
  if (done || state === 'failed' || state === 'exited') return service;
  if (!isUp(state)) return { ...service, state: 'failed', pid: null };
  return { ...service, state: isTask ? 'failed' : 'exited', pid: null, reason };
}

/** Writes how devctl has ended a service into its record, which a stop of a part of the project leaves. */
function recordEnd(
  { state: { folder } }: StopContext,
  { name, state, reason }: StartedService,
  warn: (line: string) => void,
): void {
  const read = readRecord(folder, name);
  if (read.kind !== 'record') return;
  const { record } = read;
  const exit = record.exit ?? { code: null, signal: null };
  const exitedAt = record.exitedAt ?? isoTime();
  try {
    writeRecord(folder, { ...record, state: state as ServiceState, reason, exit, exitedAt });
  } catch (error) {
    // The service is stopped all the same, as on a full disk.
    warn(`${name}: ${inWords(error)}`);
  }
}
