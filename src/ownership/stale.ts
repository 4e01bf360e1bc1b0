import { sameIdentity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import type { Run, StaleRun } from './claim.ts';

/**
 * Finds the records that no longer describe the process whose number they carry.
 *
 * A run whose leader has simply ended is not stale: it is over, and may have left orphans.
 */
export function findStaleRuns(runs: readonly Run[], snapshot: Snapshot): readonly StaleRun[] {
  return runs.flatMap((run): StaleRun[] => {
    if (run.pidNamespace !== snapshot.pidNamespace) {
      const detail =
        'written in another PID namespace (a container?), where its numbers mean others';
      return [{ run, kind: 'other-namespace', detail }];
    }
    if (run.bootId !== snapshot.bootId) {
      return [{ run, kind: 'before-boot', detail: 'written before the last boot of this machine' }];
    }
    const current = run.leader && snapshot.byPid.get(run.leader.pid);
    if (!run.leader || !current || sameIdentity(run.leader, current.identity)) return [];
    const detail = `pid ${run.leader.pid} is another process now (${current.name}), it was not touched`;
    return [{ run, kind: 'pid-reused', detail }];
  });
}
