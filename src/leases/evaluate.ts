/*
 * The files of this folder:
 *
 *   evaluate      decides whether the leases of a project last, and renews them
 *   file          `.pids/lease.json`
 *   status        leases at the moment of a snapshot
 *   lease-status  how `status` shows one
 */
import { durationInWords } from '../manifest/units.ts';
import { type Identity, identityKey, sameMachine } from '../processes/identity.ts';
import { ticksToMs } from '../processes/ticks.ts';
import type { Lease, LeaseProcess, LeaseRecord } from './file.ts';

/** The moment at which leases are evaluated. */
export interface LeaseMoment {
  /** In units of `Identity.startTicks`: a clock that goes on while the machine sleeps. */
  readonly nowTicks: number;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** Tells whether exactly this process is alive. Called only for processes of this boot and PID namespace. */
  isAlive(identity: Identity): boolean;
}

/** A lease that lasts, and what it still waits for. */
export interface StandingLease {
  /** Null: its time has no end. */
  readonly endsInMs: number | null;
  /** Its processes that are alive. */
  readonly processes: readonly LeaseProcess[];
}

/** Whether the leases of a project last. */
export type LeaseVerdict =
  /** There is no lease, or only leases of an earlier boot. */
  | { readonly kind: 'none' }
  | { readonly kind: 'lasts'; readonly leases: readonly StandingLease[] }
  /** The last one is over. */
  | { readonly kind: 'ended'; readonly why: string };

/**
 * Decides whether the project runs on.
 *
 * A lease is over when its time is over, or when the last of its processes has ended, whichever comes first.
 * Each lease stands for a person or a program that needs the services, so the project runs until the last
 * lease is over.
 *
 * @param record null: there are no leases
 */
export function evaluateLeases(record: LeaseRecord | null, moment: LeaseMoment): LeaseVerdict {
  if (!record || record.leases.length === 0 || record.bootId !== moment.bootId) {
    return { kind: 'none' };
  }
  const standing: StandingLease[] = [];
  const reasons: string[] = [];
  for (const lease of record.leases) {
    const why = whyOver(lease, moment);
    if (why === null) standing.push(remains(lease, moment));
    else reasons.push(why);
  }
  if (standing.length > 0) return { kind: 'lasts', leases: standing };
  return { kind: 'ended', why: `the lease ended: ${reasons.join('; ')}` };
}

/** Says by its option why a lease is over; null while it lasts. */
function whyOver(lease: Lease, moment: LeaseMoment): string | null {
  const { endsAtTicks, ttlMs, processes } = lease;
  if (endsAtTicks !== null && moment.nowTicks >= endsAtTicks) {
    return `--ttl ${durationInWords(ttlMs ?? 0)} is over`;
  }
  if (processes.length === 0 || living(lease, moment).length > 0) return null;
  const which = processes.map(
    ({ identity, command }) => `--while-pid ${identity.pid} (${command})`,
  );
  return `${which.join(' and ')} ${which.length === 1 ? 'has' : 'have'} ended`;
}

function remains(lease: Lease, moment: LeaseMoment): StandingLease {
  const { endsAtTicks } = lease;
  return {
    endsInMs: endsAtTicks === null ? null : ticksToMs(endsAtTicks - moment.nowTicks),
    processes: living(lease, moment),
  };
}

/** Lists the living processes of a lease. A process of another container counts, because it cannot be seen from here. */
function living({ processes }: Lease, moment: LeaseMoment): readonly LeaseProcess[] {
  return processes.filter(
    ({ identity }) => !sameMachine(identity, moment) || moment.isAlive(identity),
  );
}

/**
 * Adds a lease to those of a project, and drops the leases that are over.
 *
 * A lease for the same processes (or for none) is the same lease, renewed. Then the later end counts, because
 * somebody else may have asked for it.
 */
export function withLease(
  leases: readonly Lease[],
  added: Lease,
  moment: LeaseMoment,
): readonly Lease[] {
  const key = keyOf(added);
  const standing = leases.filter((lease) => whyOver(lease, moment) === null);
  const others = standing.filter((lease) => keyOf(lease) !== key);
  const renewed = standing
    .filter((lease) => keyOf(lease) === key)
    .reduce((longest, lease) => (endOf(lease) > endOf(longest) ? lease : longest), added);
  return [...others, renewed];
}

function endOf({ endsAtTicks }: Lease): number {
  return endsAtTicks ?? Number.POSITIVE_INFINITY;
}

function keyOf({ processes }: Lease): string {
  return processes
    .map(({ identity }) => identityKey(identity))
    .sort()
    .join(' ');
}
