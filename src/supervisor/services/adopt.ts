import { setTimeout as delay } from 'node:timers/promises';
import type { StartRequest } from '../../client/protocol.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameMachine } from '../../processes/identity.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord, readRecords } from '../../project/records.ts';
import { isDone, isRestarting, type ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleEvent } from '../../services/lifecycle/events.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';
import type { ServiceTable } from './entry.ts';

/**
 * Adopts every recorded run whose leader is alive, without touching it, and every task that is recorded
 * as done.
 */
export async function adoptServices(
  host: Host,
  services: ServiceTable,
  records: readonly ServiceRecord[],
): Promise<void> {
  const snapshot = await host.snapshot();
  for (const record of records) {
    const { leader, service, state, readyAt, restarts, oneOff } = record;
    const isAlive = leader !== null && livesIn(snapshot, leader);
    // A one-off belongs to its `devctl run`, which watches it.
    if (oneOff || (!isAlive && !isDone(record))) continue;
    const entry = services.entry(service);
    entry.record = record;
    entry.run = entry.state.run + 1;
    entry.spawnedHere = false;
    entry.daemon = record.daemon ?? false;
    entry.reliedPorts = record.readyPorts ?? (state === 'ready' ? record.ports : []);
    entry.logFrom = record.logFrom ?? 0;
    entry.spawnedAtMs = Date.parse(record.startedAt);
    entry.listenedBefore = new Set();
    entry.ills.clear();
    if (!isAlive) {
      const exit = record.exit ?? { code: null, signal: null };
      const reason = record.reason ?? exitInWords(exit);
      await services.dispatch(service, { kind: 'recalled', exit, reason, restarts });
      continue;
    }
    // The readiness probe of an adopted run is in the manifest, which comes with the next start. Until
    // then its record counts.
    entry.probed ||= state === 'ready';
    const { probed } = entry;
    const wasReady = readyAt !== null;
    const unhealthy = illnessOf(record);
    if (unhealthy && unhealthy.was !== 'starting') {
      entry.ills.add(entry.reliedPorts.length > 0 ? 'sockets' : 'liveness');
    }
    const found = { identity: leader, wasReady, probed, restarts, unhealthy };
    await services.dispatch(service, { kind: 'adopted', ...found });
  }
}

/** Says why a recorded run was not well when its supervisor ended; null: it was. */
function illnessOf({
  state,
  reason,
  readyAt,
  readyPorts,
}: ServiceRecord): Extract<LifecycleEvent, { kind: 'adopted' }>['unhealthy'] {
  if (state === 'starting') {
    return { reason: 'its supervisor ended before it was ready', was: 'starting' };
  }
  if (state !== 'unhealthy') return null;
  const was = readyAt === null ? 'starting' : readyPorts ? 'ready' : 'running';
  return { reason: reason ?? 'it was not well', was };
}

/**
 * Resumes the restarts that an earlier supervisor did not live to finish.
 *
 * @param request says how to start each service; a service that it does not name is not restarted
 */
export function resumeRestarts(
  services: ServiceTable,
  folder: ProjectFolder,
  self: Identity,
  request: StartRequest,
): void {
  for (const service of request.running ?? []) {
    const { name } = service;
    const entry = services.entry(name);
    const read = readRecord(folder, name);
    if (entry.state.kind !== 'idle' || entry.unwanted || read.kind !== 'record') continue;
    const { record } = read;
    // After a reboot nobody has asked for any service yet.
    if (record.oneOff || !isRestarting(record) || !sameMachine(record, self)) continue;
    entry.service = service;
    entry.request = request;
    // This supervisor looks after the service now. But a process that left the tree of the earlier one
    // as that died had no subreaper.
    entry.record = { ...record, supervisor: self, subreaper: false };
    entry.run = entry.state.run + 1;
    const { exit, restarts } = record;
    const how = exit ? exitInWords(exit) : 'it was not well';
    const reason = `${how}, and its supervisor ended before it was started again`;
    void services.dispatch(name, { kind: 'interrupted', exit, reason, restarts });
  }
}

/** How long to wait for the answer to a spawn that is under way. */
const CANCEL_MS = 2_000;
const POLL_MS = 5;

/**
 * Leaves services to a stop, which is going to end them.
 *
 * @param names null: all
 */
export async function standDownServices(
  services: ServiceTable,
  names: readonly string[] | null,
): Promise<void> {
  const targets = [...services.entries.values()].filter(
    ({ name }) => names === null || names.includes(name),
  );
  await Promise.all(targets.map(({ name }) => services.dispatch(name, { kind: 'standDown' })));
  // The stop should see the process of a spawn that was under way. But the stop scans for itself, so an
  // answer that never comes must not keep it waiting.
  const deadline = monotonicMs() + CANCEL_MS;
  while (targets.some(({ state }) => state.kind === 'cancelling') && monotonicMs() < deadline) {
    await delay(POLL_MS);
  }
  // From now on they belong to the stop.
  services.bringFilesInStep();
}

/**
 * Looks after services again when a stop is over. A service that is proved dead becomes idle; a service
 * that still runs is adopted again.
 */
export async function resumeServices(
  host: Host,
  services: ServiceTable,
  folder: ProjectFolder,
): Promise<void> {
  const { records } = readRecords(folder);
  const recorded = new Set(records.map(({ service }) => service));
  for (const entry of [...services.entries.values()]) {
    const { name, state } = entry;
    // A service with a reason is being ended by this supervisor, whichever others were stopped
    // meanwhile.
    if (state.kind === 'stopping' && state.reason === null) {
      // A process that has outlived the stop is adopted, but not restarted once it ends, because nobody
      // wants it.
      entry.service = null;
      entry.unwanted = true;
      await services.dispatch(name, { kind: 'stopped', run: state.run });
      services.entry(name).record = null;
    } else if (hasEnded(state.kind) && !recorded.has(name)) {
      // The stop has removed its record: do not write it again with the next one. A task that was done
      // has to be done again.
      await services.dispatch(name, { kind: 'stopped', run: state.run });
      services.entry(name).record = null;
    }
  }
  await adoptServices(
    host,
    services,
    records.filter(({ service }) => services.entry(service).state.kind === 'idle'),
  );
}

function hasEnded(kind: string): boolean {
  return kind === 'exited' || kind === 'failed';
}
