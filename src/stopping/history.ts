import type { Claim } from '../ownership/claim.ts';
import type { SignalName } from '../processes/host.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';

/** What one stop has seen of one process. */
export interface SeenProcess {
  /** As last seen. */
  readonly claim: Claim;
  readonly signals: readonly SignalName[];
  /** When a scan no longer found it, null while it lives. */
  readonly goneAtMs: number | null;
}

/** The memory of one stop: every process that was ours, its signals, and when it was gone. */
export interface StopHistory {
  /**
   * Takes in claims that are alive.
   *
   * @returns those that were not known before
   */
  recordLiving(claims: ReadonlyMap<number, Claim>): readonly Claim[];
  /**
   * Notes the end of everything that this scan of the whole table shows no more. What lives on but is
   * claimed no longer (a sweep's catch in a later pass, one that took another project's mark) has not
   * ended.
   */
  recordGone(snapshot: Snapshot, nowMs: number): void;
  recordSignal(target: Identity, signal: SignalName): void;
  entries(): readonly SeenProcess[];
  readonly scans: () => number;
}

export function createStopHistory(): StopHistory {
  const seen = new Map<string, SeenProcess>();
  let scans = 0;
  return {
    recordLiving(claims) {
      const fresh: Claim[] = [];
      for (const claim of claims.values()) {
        const key = identityKey(claim.process.identity);
        const before = seen.get(key);
        if (!before) fresh.push(claim);
        // The first evidence is the fullest: links to parents are lost as the tree dies.
        seen.set(key, {
          claim: before?.claim ?? claim,
          signals: before?.signals ?? [],
          goneAtMs: null,
        });
      }
      return fresh;
    },
    recordGone(snapshot, nowMs) {
      scans += 1;
      for (const [key, entry] of seen) {
        if (entry.goneAtMs !== null) continue;
        const lives = livesIn(snapshot, entry.claim.process.identity);
        if (!lives) seen.set(key, { ...entry, goneAtMs: nowMs });
      }
    },
    recordSignal(target, signal) {
      const key = identityKey(target);
      const entry = seen.get(key);
      if (entry) seen.set(key, { ...entry, signals: [...entry.signals, signal] });
    },
    entries: () => [...seen.values()].sort((a, b) => pidOf(a) - pidOf(b)),
    scans: () => scans,
  };
}

function pidOf({ claim }: SeenProcess): number {
  return claim.process.identity.pid;
}
