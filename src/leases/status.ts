import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { evaluateLeases, type LeaseVerdict } from './evaluate.ts';
import type { LeaseRecord } from './file.ts';
import type { LeaseStatus } from './lease-status.ts';

/** Evaluates the leases of a project at the moment of a snapshot. */
export function leasesAt(record: LeaseRecord | null, snapshot: Snapshot): LeaseVerdict {
  const { nowTicks, bootId, pidNamespace } = snapshot;
  return evaluateLeases(record, {
    nowTicks,
    bootId,
    pidNamespace,
    isAlive: (identity) => livesIn(snapshot, identity),
  });
}

/** Lists the leases that last, for people and scripts. */
export function leaseStatus(verdict: LeaseVerdict): readonly LeaseStatus[] {
  if (verdict.kind !== 'lasts') return [];
  return verdict.leases.map(({ endsInMs, processes }) => ({
    endsInMs,
    processes: processes.map(({ identity: { pid }, command }) => ({ pid, command })),
  }));
}
