import { type LogSource, openLogSource } from '../../logs/source.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { ServiceTableContext } from './entry.ts';

/**
 * Looks at the log of a run, which stays where it is until that is done: what is written to an end that is
 * being moved has no position yet. Nothing here waits for a move, which this very process would have to end.
 *
 * @throws what `look` does
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
