import type { Claim } from '../ownership/claim.ts';
import type { SignalName } from '../processes/host.ts';
import { type Identity, identityKey } from '../processes/identity.ts';

/** What one stop has seen of one process. */
export interface Seen {
  /** As last seen. */
  readonly claim: Claim;
  readonly signals: readonly SignalName[];
  /** When a scan no longer found it, null while it lives. */
  readonly goneAtMs: number | null;
}

/** The memory of one stop: every process that was ours, its signals, and when it was gone. */
export interface History {
  /**
   * Takes in the claims of a scan. What is missing from a whole scan is gone; a partial one says
   * nothing about what it does not hold.
   *
   * @returns the claims that were not known before
   */
  see(
    claims: ReadonlyMap<number, Claim>,
    nowMs: number,
    extent?: 'whole' | 'partial',
  ): readonly Claim[];
  signalled(target: Identity, signal: SignalName): void;
  entries(): readonly Seen[];
  readonly scans: () => number;
}

export function createHistory(): History {
  const seen = new Map<string, Seen>();
  let scans = 0;
  return {
    see(claims, nowMs, extent = 'whole') {
      const fresh: Claim[] = [];
      const present = new Set<string>();
      for (const claim of claims.values()) {
        const key = identityKey(claim.process.identity);
        present.add(key);
        const before = seen.get(key);
        if (!before) fresh.push(claim);
        // The first evidence is the fullest: links to parents are lost as the tree dies.
        seen.set(key, {
          claim: before?.claim ?? claim,
          signals: before?.signals ?? [],
          goneAtMs: null,
        });
      }
      if (extent === 'whole') {
        scans += 1;
        for (const [key, entry] of seen) {
          if (!present.has(key) && entry.goneAtMs === null)
            seen.set(key, { ...entry, goneAtMs: nowMs });
        }
      }
      return fresh;
    },
    signalled(target, signal) {
      const key = identityKey(target);
      const entry = seen.get(key);
      if (entry) seen.set(key, { ...entry, signals: [...entry.signals, signal] });
    },
    entries: () => [...seen.values()].sort((a, b) => pidOf(a) - pidOf(b)),
    scans: () => scans,
  };
}

function pidOf({ claim }: Seen): number {
  return claim.process.identity.pid;
}
