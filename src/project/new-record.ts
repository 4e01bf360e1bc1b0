import { randomBytes } from 'node:crypto';
import type { ProtectionSettings } from '../manifest/resolved.ts';
import { isoTime } from '../processes/clock.ts';
import type { Identity } from '../processes/identity.ts';
import type { ProcessTable } from '../processes/table.ts';
import type { ProjectFolder } from './folder.ts';
import { recordedProject } from './recorded-project.ts';
import type { ServiceRecord } from './service-record.ts';

/** The fields of a new record that are the same whether a supervisor or `devctl run` spawns the run. */
export type NewRecord = Omit<
  ServiceRecord,
  | 'guard'
  | 'subreaper'
  | 'cgroup'
  | 'command'
  | 'cwd'
  | 'ports'
  | 'udpPorts'
  | 'dependsOn'
  | 'stop'
  | 'protection'
  | 'log'
  | 'stdin'
  | 'terminal'
>;

/**
 * Makes the record of a run that is about to be spawned.
 *
 * @param self the process that will spawn it
 */
export function newRecord(
  service: string,
  folder: ProjectFolder,
  table: Pick<ProcessTable, 'bootId' | 'pidNamespace' | 'nowTicks'>,
  self: Identity,
): NewRecord {
  return {
    schema: 1,
    service,
    ...recordedProject(folder),
    runId: randomBytes(16).toString('hex'),
    state: 'starting',
    reason: null,
    bootId: table.bootId,
    pidNamespace: table.pidNamespace,
    intentTicks: table.nowTicks(),
    leader: null,
    supervisor: self,
    startedAt: isoTime(),
    readyAt: null,
    exitedAt: null,
    exit: null,
    restarts: 0,
  };
}

/** The field of a record that says what the manifest protects. Most manifests protect nothing. */
export function recordedProtection(
  protection: ProtectionSettings,
): Pick<ServiceRecord, 'protection'> {
  return protection.patterns.length > 0 || protection.byEnvironment ? { protection } : {};
}
