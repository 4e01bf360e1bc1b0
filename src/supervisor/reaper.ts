import { setTimeout as passTurn } from 'node:timers/promises';
import { type Identity, identityKey } from '../processes/identity.ts';
import type { Native } from '../processes/native.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';

/** Takes away the dead that a subreaper has adopted, each by its own number. */
export interface Reaper {
  /**
   * Reaps what was dead in the look before already.
   *
   * @returns how many dead there are that nobody has taken away
   */
  reapIn(snapshot: Snapshot): number;
  /** Reaps every zombie that was adopted, now. */
  reapNow(): Promise<void>;
}

/**
 * A zombie that Node spawned is Node's to reap, within one turn of the event loop; so only what was a
 * zombie in the look before too is ours to take, and those turns have passed.
 *
 * @param native null: nothing is adopted, so nothing is to be reaped
 */
export function createReaper(table: ProcessTable, self: Identity, native: Native | null): Reaper {
  const adoptedZombies = (snapshot: Snapshot): readonly ProcessInfo[] =>
    (snapshot.byParent.get(self.pid) ?? []).filter(isGone);
  let zombies: ReadonlySet<string> = new Set();

  /** @returns those that are left */
  const reap = (dead: readonly ProcessInfo[], before: ReadonlySet<string>): Set<string> => {
    const left = new Set<string>();
    for (const { identity } of dead) {
      const key = identityKey(identity);
      if (!before.has(key) || !native?.reap(identity.pid)) left.add(key);
    }
    return left;
  };

  return {
    reapIn(snapshot) {
      const dead = adoptedZombies(snapshot);
      zombies = reap(dead, zombies);
      return dead.length;
    },
    async reapNow() {
      if (!native) return;
      const before = adoptedZombies(await table.snapshot());
      // A turn of the event loop, with its poll phase: Node has reaped its own by then.
      await passTurn(1);
      await passTurn(1);
      const dead = adoptedZombies(await table.snapshot());
      reap(dead, new Set(before.map(({ identity }) => identityKey(identity))));
    },
  };
}
