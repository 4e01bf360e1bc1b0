import { join } from 'node:path';
import { isoTime } from '../../processes/clock.ts';
import { newRecord, recordedProtection } from '../../project/new-record.ts';
import type { ServiceRecord, ServiceState } from '../../project/service-record.ts';
import type { LifecycleEffect } from '../../services/lifecycle/events.ts';
import { blockersOf } from '../../services/lifecycle/states.ts';
import type { ServiceEntry, ServiceTableContext } from './entry.ts';

type WriteRecord = Extract<LifecycleEffect, { kind: 'writeRecord' }>;

/** Returns the record of a service in its new state; for a new run, its intent. */
export function nextRecord(
  context: ServiceTableContext,
  entry: ServiceEntry,
  effect: WriteRecord,
): ServiceRecord {
  const { state, reason, leader, exit, restarts } = effect;
  const now = isoTime();
  const isNewRun = effect.run !== entry.run || !entry.record;
  const base = isNewRun ? intent(context, entry) : entry.record;
  if (!base) throw new Error(`${entry.name} has no record`);
  const blockers = blockersOf(entry.state);
  return {
    ...base,
    state,
    reason,
    leader: leader ?? base.leader,
    ...(leader && entry.spawnedHere ? { logFrom: entry.logFrom } : {}),
    exit: exit ?? base.exit,
    ...(blockers.length > 0 ? { blockedBy: blockers } : {}),
    ...(state === 'ready' ? { readyPorts: entry.reliedPorts } : {}),
    readyAt: state === 'ready' || state === 'running' ? (base.readyAt ?? now) : base.readyAt,
    exitedAt: HAS_ENDED.has(state) && exit !== null ? (base.exitedAt ?? now) : base.exitedAt,
    restarts,
    ...(entry.daemon && !isNewRun ? { daemon: true } : {}),
  };
}

const HAS_ENDED: ReadonlySet<ServiceState> = new Set(['exited', 'failed', 'backoff']);

function intent(context: ServiceTableContext, entry: ServiceEntry): ServiceRecord {
  const { service, request, name } = entry;
  if (!service || !request) throw new Error(`${name} was never asked for`);
  const { folder, table, self, guard, subreaper, groups } = context;
  const base = newRecord(name, folder, table, self);
  const { definitions = {} } = request;
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
  return {
    ...base,
    guard,
    subreaper,
    cgroup:
      groups && request.containment !== 'none'
        ? { path: groups.groupOf(base.runId), held: false, view: groups.view }
        : null,
    command: service.command,
    cwd: service.cwd,
    ports: service.ports,
    ...(service.udpPorts.length > 0 ? { udpPorts: service.udpPorts } : {}),
    dependsOn: Object.keys(service.dependsOn),
    stop: service.stop,
    ...recordedProtection(request.protection),
    ...(definition ? { definition } : {}),
    log: join(request.logsDir, `${name}.log`),
    logRotation: request.logRotation,
    stdin: service.stdin === 'fifo' ? join(folder.pidsDir, 'stdin', name) : null,
    oneShot: service.oneShot,
    ...(service.adHoc ? { adHoc: true } : {}),
    ...(service.once ? { once: true } : {}),
  };
}
