import type { Identity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';
import { type Calm, lookCalmly, rememberCalm } from '../supervisor/calm-look.ts';
import type { TrackedQuarry } from './claim-tracker.ts';
import type { ProjectState } from './project-state.ts';
import { readRunGroups } from './run-groups.ts';

/** The time between two whole looks, in which nothing of ours changes. */
export interface Rest {
  /**
   * After a whole look that saw nothing new.
   *
   * @param forks how often was forked on this machine before it; null: that is not known
   */
  begin(snapshot: Snapshot, forks: number | null): void;
  /** @returns null when the table is to be read as a whole */
  look(): ReturnType<typeof lookCalmly>;
  end(): void;
}

export function createRest(
  table: ProcessTable,
  self: Identity,
  state: () => ProjectState,
  quarry: Pick<TrackedQuarry, 'latest'>,
): Rest {
  let calm: Calm | null = null;
  const members = (): string => {
    const groups = readRunGroups(state());
    return groups.map(({ runId, pids }) => [runId, ...[...pids].sort()].join(' ')).join('\n');
  };
  return {
    begin(snapshot, forks) {
      const { claims, guards, supervisors, hosts } = quarry.latest();
      const above = [...guards, ...supervisors, ...hosts.map(({ process }) => process)];
      const reapers = [self.pid, ...above.map(({ identity }) => identity.pid)];
      const seen = { claims: [...claims.values()], reapers, forks, members: members() };
      calm = rememberCalm(table, snapshot, seen);
    },
    look: () => calm && lookCalmly(table, calm, members),
    end() {
      calm = null;
    },
  };
}
