import { recordedExit } from '../processes/end-of-process.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import type { EndWatch } from '../processes/native/end-watch.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import type { Exit, ServiceRecord } from '../project/service-record.ts';
import type { LifecycleEvent } from '../services/lifecycle/events.ts';
import type { LifecycleState } from '../services/lifecycle/states.ts';

/** A run, as far as the witness needs to know it. */
export interface WatchedRun {
  readonly name: string;
  readonly state: LifecycleState;
  /** True where this process spawned the leader, so that Node reports its exit. */
  readonly spawnedHere: boolean;
  record: ServiceRecord | null;
}

/** The runs that a supervisor or a `devctl run` looks after. */
export interface WatchedRuns {
  readonly entries: ReadonlyMap<string, WatchedRun>;
  records(): readonly ServiceRecord[];
  dispatch(name: string, event: LifecycleEvent): Promise<void>;
}

interface AdoptedLeadersContext {
  readonly runs: Pick<WatchedRuns, 'dispatch' | 'entries'>;
  /** Reports the end of a process; null when the platform cannot, so that only a scan notices it. */
  readonly endWatch: EndWatch | null;
  /** Called when a leader, or the holder of its terminal, may have ended. */
  readonly onEnd: () => void;
}

/**
 * Notices the end of leaders that another supervisor has spawned, and of those that hold their terminals. Nobody can know their exit code any
 * more, because they are no children of this process.
 */
export interface AdoptedLeaders {
  onScan(snapshot: Snapshot): void;
  stop(): void;
}

export function watchAdoptedLeaders(context: AdoptedLeadersContext): AdoptedLeaders {
  const { runs, endWatch } = context;
  const watches = new Map<string, () => void>();
  /** Read as soon as a leader has ended: its zombie may be gone when the next scan comes. */
  const exits = new Map<string, Exit>();

  const watchOnly = (leaders: ReadonlyMap<string, Identity>): void => {
    for (const [key, release] of watches) {
      if (leaders.has(key)) continue;
      release();
      watches.delete(key);
      exits.delete(key);
    }
    for (const [key, leader] of leaders) {
      if (watches.has(key)) continue;
      // If another process has the number by now, its end only causes one scan too many.
      const release = endWatch?.watch(leader.pid, () => {
        const exit = recordedExit(leader);
        if (exit !== 'alive') exits.set(key, exit);
        context.onEnd();
      });
      if (release) watches.set(key, release);
    }
  };
  return {
    onScan(snapshot) {
      const living = new Map<string, Identity>();
      for (const { name, state, spawnedHere, record } of runs.entries.values()) {
        if (spawnedHere || !('leader' in state) || state.leader === null) continue;
        const { leader, run } = state;
        if (!livesIn(snapshot, leader)) {
          const known = record?.terminal
            ? (exits.get(identityKey(leader)) ?? recordedExit(leader))
            : 'alive';
          const exit = known === 'alive' ? { code: null, signal: null } : known;
          if (state.kind !== 'stopping') void runs.dispatch(name, { kind: 'exited', run, exit });
          continue;
        }
        living.set(identityKey(leader), leader);
        const keepers = keepersOf(record);
        const dead = keepers.find((keeper) => !livesIn(snapshot, keeper));
        for (const keeper of keepers) living.set(identityKey(keeper), keeper);
        if (!dead) continue;
        const reason = `the process that kept its terminal (pid ${dead.pid}) has ended`;
        void runs.dispatch(name, { kind: 'terminalLost', run, reason });
      }
      watchOnly(living);
    },
    stop() {
      for (const release of watches.values()) release();
    },
  };
}

/** The processes that keep its terminal. A daemon has left that of its command. */
function keepersOf(record: ServiceRecord | null): readonly Identity[] {
  const { terminal, daemon } = record ?? {};
  return terminal && !daemon ? [terminal.holder, terminal.session] : [];
}
