import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { Host } from '../processes/host.ts';
import { livesIn } from '../processes/snapshot.ts';
import type { OpenProject } from '../project/open-project.ts';
import { readRecord } from '../project/records.ts';
import { selectNames } from '../project/select-names.ts';
import { writeToFifo } from '../services/launch/write-stdin.ts';

/** The result of a send: the leader of the service, and the number of bytes that it was sent. */
export interface SendResult {
  readonly service: string;
  readonly pid: number;
  readonly bytes: number;
}

/**
 * Sends text to a service: writes to the FIFO that is its stdin.
 *
 * @throws DevctlError 'service-unknown'; 'send-failed' when the service does not run, has no FIFO, or does not read
 */
export async function sendToService(
  host: Pick<Host, 'snapshot'>,
  project: OpenProject,
  name: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<SendResult> {
  const names = selectNames(project, [name]) ?? [];
  const [service, ...others] = names;
  if (service === undefined || others.length > 0) {
    throw failed(`"${name}" is a group: text goes to one service`, `one of ${names.join(', ')}`);
  }
  const { folder } = project;
  const read = readRecord(folder, service);
  const leader = read.kind === 'record' ? read.record.leader : null;
  const alive = leader !== null && livesIn(await host.snapshot(), leader);
  if (read.kind !== 'record' || !alive) {
    throw failed(`${service} does not run`, `devctl start ${service}`);
  }
  const { stdin } = read.record;
  // A record can be edited, so we write only to the path at which we make the FIFO.
  if (stdin === null || stdin !== join(folder.pidsDir, 'stdin', service)) {
    const why = stdin === null ? 'has no stdin to write to' : 'has its stdin elsewhere';
    throw failed(`${service} ${why}`, 'it needs "stdin": "fifo", the default, and then a restart');
  }
  const result = await writeToFifo(stdin, chunks);
  if (result.kind === 'written') return { service, pid: leader.pid, bytes: result.bytes };
  const part = result.bytes > 0 ? ` (${result.bytes} bytes of it were sent)` : '';
  throw failed(
    `${service}: ${result.why}${part}`,
    `devctl status ${service} shows whether it runs`,
  );
}

function failed(message: string, hint: string): DevctlError {
  return new DevctlError('send-failed', message, { hint });
}
