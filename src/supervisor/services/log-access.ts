import { type LogSource, openLogSource } from '../../logs/source.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { ServiceTableContext } from './entry.ts';

/**
 * Reads the log of a run, and pins it meanwhile, because a line that is written while a rotation moves
 * the beginning has no position yet. It does not wait for a rotation that was cut short, because this
 * very process would have to finish that.
 *
 * @throws what `read` throws
 */
export async function withPinnedLog<Seen>(
  { folder, pinLog }: Pick<ServiceTableContext, 'folder' | 'pinLog'>,
  { service, log }: Pick<ServiceRecord, 'service' | 'log'>,
  read: (log: LogSource) => Seen | Promise<Seen>,
): Promise<Seen> {
  const release = await pinLog(service);
  try {
    return await read(openLogSource(folder, service, log, 0));
  } finally {
    release();
  }
}
