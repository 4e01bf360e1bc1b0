import { type LogSource, openLogSource } from '../../logs/source.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { ServiceTableContext } from './entry.ts';

/**
 * Reads the log of a run, and pins it meanwhile, because a line that is written while a rotation moves
 * the beginning has no position yet. It does not wait for a rotation that was cut short, because this
 * very process would have to finish that.
 *
 * @throws what `look` throws
 */
export async function withLog<Seen>(
  { folder, holdLog }: Pick<ServiceTableContext, 'folder' | 'holdLog'>,
  { service, log }: Pick<ServiceRecord, 'service' | 'log'>,
  look: (log: LogSource) => Seen | Promise<Seen>,
): Promise<Seen> {
  const release = await holdLog(service);
  try {
    return await look(openLogSource(folder, service, log, 0));
  } finally {
    release();
  }
}
