import { DevctlError } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import type { Host } from '../processes/host.ts';
import { loadTerminals } from '../processes/native/native.ts';
import type { OpenProject } from '../project/open-project.ts';
import { writeToFifo } from '../services/launch/write-stdin.ts';
import { runningService, stdinOf } from './attach/running-service.ts';

/** The result of a send: the leader of the service, and the number of bytes that it was sent. */
export interface SendResult {
  readonly service: string;
  readonly pid: number;
  readonly bytes: number;
  /** True: a service without a terminal has read nothing within a second. Null: nobody can tell. */
  readonly unread: boolean | null;
}

/**
 * Sends text to a service: writes to the FIFO that is its stdin, or that leads to its terminal.
 *
 * @throws DevctlError 'service-unknown'; 'send-failed' when the service does not run, has no FIFO, or does not read
 */
export async function sendToService(
  host: Pick<Host, 'snapshot'>,
  project: OpenProject,
  name: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<SendResult> {
  const record = await runningService(host, project, name);
  const { service, terminal } = record;
  const terminals = terminal ? null : await loadTerminals();
  const unread = terminals && !('why' in terminals) ? terminals.unread : null;
  const result = await writeToFifo(stdinOf(project, record), chunks, { unread });
  if (result.kind === 'written') {
    const { bytes, isUnread } = result;
    return { service, pid: record.leader.pid, bytes, unread: isUnread };
  }
  const part = result.bytes > 0 ? ` (${result.bytes} bytes of it were sent)` : '';
  throw failed(
    `${service}: ${result.why}${part}`,
    `${DEVCTL} status ${service} shows whether it runs`,
  );
}

function failed(message: string, hint: string): DevctlError {
  return new DevctlError('send-failed', message, { hint });
}
