import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import type { StopHistory } from '../../stopping/history.ts';

/**
 * Names every process of this stop that is still alive: `node (pid 12), sh (pid 13)`. Null when none is.
 *
 * @param service only those of this service. Missing: of every service
 */
export function survivorsInWords(
  history: StopHistory,
  snapshot: Snapshot,
  service?: string,
): string | null {
  const survivors = history
    .entries()
    .filter(({ claim }) => service === undefined || claim.service === service)
    .map(({ claim }) => claim.process)
    .filter(({ identity }) => livesIn(snapshot, identity));
  if (survivors.length === 0) return null;
  return survivors.map(({ name, identity }) => `${name} (pid ${identity.pid})`).join(', ');
}
