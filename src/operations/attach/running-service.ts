import { join } from 'node:path';
import { DevctlError } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { readRecord } from '../../project/records.ts';
import { selectNames } from '../../project/select-names.ts';
import type { ServiceRecord } from '../../project/service-record.ts';

/** The record of a service whose leader is alive. */
type RunningService = ServiceRecord & { readonly leader: Identity };

/**
 * Finds a service that runs.
 *
 * @throws DevctlError 'service-unknown'; 'send-failed' when it does not run
 */
export async function runningService(
  host: Pick<Host, 'snapshot'>,
  project: OpenProject,
  name: string,
): Promise<RunningService> {
  const names = selectNames(project, [name]) ?? [];
  const [service, ...others] = names;
  if (service === undefined || others.length > 0) {
    throw failed(`"${name}" is a group: name one service`, `one of ${names.join(', ')}`);
  }
  const read = readRecord(project.folder, service);
  const record = read.kind === 'record' ? read.record : null;
  const leader = record?.leader ?? null;
  if (!record || leader === null || !livesIn(await host.snapshot(), leader)) {
    throw failed(`${service} does not run`, `${DEVCTL} start ${service}`);
  }
  return { ...record, leader };
}

/**
 * Returns the path of the FIFO to write to.
 *
 * @throws DevctlError 'send-failed' where there is none
 */
export function stdinOf({ folder }: OpenProject, { service, stdin }: ServiceRecord): string {
  // A record can be edited, so we write only to the path at which we make the FIFO.
  if (stdin !== null && stdin === join(folder.pidsDir, 'stdin', service)) return stdin;
  const why = stdin === null ? 'has no stdin to write to' : 'has its stdin elsewhere';
  throw failed(`${service} ${why}`, 'it needs "stdin": "fifo", the default, and then a restart');
}

function failed(message: string, hint: string): DevctlError {
  return new DevctlError('send-failed', message, { hint });
}
