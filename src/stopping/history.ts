import type { Claim } from '../ownership/claim.ts';
import type { SignalName } from '../processes/host.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';

/** One process that a stop has seen. */
export interface SeenProcess {
  /** Its claim when it was first seen. */
  readonly claim: Claim;
  /** Every signal that it was sent, in order. */
  readonly signals: readonly SignalName[];
  /** When a scan no longer found it; null while it lives. */
  readonly goneAtMs: number | null;
}

/** The memory of one stop: every process that was ours, its signals, and when it was gone. */
export interface StopHistory {
  /**
   * Records claims whose processes are alive.
   *
   * @returns the claims that were not known before
   */
  recordLiving(claims: ReadonlyMap<number, Claim>): readonly Claim[];
  /**
   * Records the end of every process that this scan of the whole table no longer shows. A process that lives
   * on but is no longer claimed has not ended: the catch of a sweep in a later pass, or a process that took
   * another project's cookie.
   */
  recordGone(snapshot: Snapshot, nowMs: number): void;
  recordSignal(target: Identity, signal: SignalName): void;
  /** Lists every process seen, by pid. */
  entries(): readonly SeenProcess[];
  /** Counts the scans of the whole table. */
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
        // The first evidence is the fullest, because links to parents are lost as the tree dies.
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
