import { setTimeout as delay } from 'node:timers/promises';
import { type Identity, identityKey } from '../processes/identity.ts';
import type { Native } from '../processes/native/native.ts';
import { newsOfEnd } from '../processes/own-children.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';

/** Reaps the zombies that a subreaper has adopted, each by its own pid. */
export interface Reaper {
  /**
   * Reaps the zombies that the scan before has shown already.
   *
   * @returns number of adopted zombies in this snapshot
   */
  reapIn(snapshot: Snapshot): number;
  /** Reaps every adopted zombie, now. When it resolves, Node has reaped the dead among its own children. */
  reapNow(): Promise<void>;
}

/** How long Node may take to report an end that the process table shows already. */
const EXIT_REPORT_MS = 1_000;

/**
 * Makes a reaper that leaves Node's own children to Node, because otherwise Node never reports their
 * end. Node mostly reaps within one turn of the event loop. But SIGCHLD may go to a thread that a busy
 * machine does not run for a long time, so the reaper never takes a process that is known to be Node's
 * (`noteChild`). It takes any other only if the scan before showed it as a zombie, too.
 *
 * @param native null: this process adopts nothing, so there is nothing to reap
 */
export function createReaper(table: ProcessTable, self: Identity, native: Native | null): Reaper {
  const deadChildren = (snapshot: Snapshot): readonly ProcessInfo[] =>
    (snapshot.byParent.get(self.pid) ?? []).filter(isGone);
  const adoptedZombies = (snapshot: Snapshot): readonly ProcessInfo[] =>
    deadChildren(snapshot).filter(({ identity }) => newsOfEnd(identity.pid) === null);
  let zombies: ReadonlySet<string> = new Set();

  /** @returns the zombies that are left */
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
      const reports = deadChildren(first).flatMap(({ identity }) => newsOfEnd(identity.pid) ?? []);
      await Promise.race([Promise.all(reports), delay(EXIT_REPORT_MS, null, { ref: false })]);
      // A zombie that is not known to be Node's may be Node's all the same. Give Node the time to reap
      // it.
      await delay(1);
      await delay(1);
      const dead = adoptedZombies(await table.snapshot());
      reap(dead, new Set(before.map(({ identity }) => identityKey(identity))));
    },
  };
}
