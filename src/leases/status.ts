import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { evaluateLeases, type LeaseVerdict } from './evaluate.ts';
import type { LeaseRecord } from './file.ts';

/** One of those for whom the project runs (`start --ttl`, `--while-pid`). */
export interface LeaseStatus {
  /** Null: its time has no end. */
  readonly endsInMs: number | null;
  /** Those of its processes that live: it is over when they have ended. None: that is up to its time alone. */
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
}

/** What the leases of a project say at the moment of a snapshot. */
export function leasesAt(record: LeaseRecord | null, snapshot: Snapshot): LeaseVerdict {
  const { nowTicks, bootId, pidNamespace } = snapshot;
  return evaluateLeases(record, {
    nowTicks,
    bootId,
    pidNamespace,
    isAlive: (identity) => livesIn(snapshot, identity),
  });
}

/** The same for people and scripts. */
export function leaseStatus(verdict: LeaseVerdict): readonly LeaseStatus[] {
  if (verdict.kind !== 'lasts') return [];
  return verdict.leases.map(({ endsInMs, processes }) => ({
    endsInMs,
    processes: processes.map(({ identity: { pid }, command }) => ({ pid, command })),
  }));
}
