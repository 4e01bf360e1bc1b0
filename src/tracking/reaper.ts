import { setTimeout as passTurn } from 'node:timers/promises';
import { type Identity, identityKey } from '../processes/identity.ts';
import type { Native } from '../processes/native/native.ts';
import { newsOfEnd } from '../processes/own-children.ts';
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
  /** Reaps every zombie that was adopted, now. What Node has spawned and is dead, it has reaped by then. */
  reapNow(): Promise<void>;
}

/** How long Node's news of an end may take that the table shows already. */
const NEWS_MS = 1_000;

/**
 * A zombie that Node spawned is Node's to reap, or its end is never told. It does so within one turn of the event
 * loop, mostly: SIGCHLD may go to a thread that a busy machine does not let run for long, so nothing that is
 * known to be Node's (`noteChild`) is ever taken. Of the rest only what was a zombie in the look before too.
 *
 * @param native null: nothing is adopted, so nothing is to be reaped
 */
export function createReaper(table: ProcessTable, self: Identity, native: Native | null): Reaper {
  const deadChildren = (snapshot: Snapshot): readonly ProcessInfo[] =>
    (snapshot.byParent.get(self.pid) ?? []).filter(isGone);
  const adoptedZombies = (snapshot: Snapshot): readonly ProcessInfo[] =>
    deadChildren(snapshot).filter(({ identity }) => newsOfEnd(identity.pid) === null);
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
      const first = await table.snapshot();
      const before = adoptedZombies(first);
      const news = deadChildren(first).flatMap(({ identity }) => newsOfEnd(identity.pid) ?? []);
      await Promise.race([Promise.all(news), passTurn(NEWS_MS, null, { ref: false })]);
      // What is not known to be Node's may be its own all the same: by then it has reaped that.
      await passTurn(1);
      await passTurn(1);
      const dead = adoptedZombies(await table.snapshot());
      reap(dead, new Set(before.map(({ identity }) => identityKey(identity))));
    },
  };
}
