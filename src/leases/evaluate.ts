import { durationInWords } from '../manifest/units.ts';
import { type Identity, identityKey, sameMachine } from '../processes/identity.ts';
import { ticksToMs } from '../processes/ticks.ts';
import type { Lease, LeaseProcess, LeaseRecord } from './file.ts';

/** The moment at which leases are judged. */
export interface LeaseMoment {
  /** In units of `Identity.startTicks`: a clock that runs on while the machine sleeps. */
  readonly nowTicks: number;
  readonly bootId: string;
  readonly pidNamespace: string;
  /** Is exactly this process alive? Only asked for those of this boot and namespace. */
  isAlive(identity: Identity): boolean;
}

/** What a lease still waits for. */
export interface StandingLease {
  /** Null: its time has no end. */
  readonly endsInMs: number | null;
  /** Of its processes, those that live. */
  readonly processes: readonly LeaseProcess[];
}

export type LeaseVerdict =
  /** There is none, or it was for what an earlier boot had running. */
  | { readonly kind: 'none' }
  | { readonly kind: 'lasts'; readonly leases: readonly StandingLease[] }
  /** The last one is over. */
  | { readonly kind: 'ended'; readonly why: string };

/**
 * Is the project to run on?
 *
 * A lease is over when its time is, or when the last of its processes has ended, whichever comes first. Each
 * lease stands for somebody who needs what runs, so the project runs until the last one is over.
 *
 * @param record null: there is none
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

function whyOver(lease: Lease, moment: LeaseMoment): string | null {
  const { endsAtTicks, ttlMs, processes } = lease;
  if (endsAtTicks !== null && moment.nowTicks >= endsAtTicks) {
    return `its ${durationInWords(ttlMs ?? 0)} are over`;
  }
  if (processes.length === 0 || living(lease, moment).length > 0) return null;
  const which = processes.map(({ identity, command }) => `pid ${identity.pid} (${command})`);
  return `${which.join(' and ')} ${which.length === 1 ? 'has' : 'have'} ended`;
}

function remains(lease: Lease, moment: LeaseMoment): StandingLease {
  const { endsAtTicks } = lease;
  return {
    endsInMs: endsAtTicks === null ? null : ticksToMs(endsAtTicks - moment.nowTicks),
    processes: living(lease, moment),
  };
}

/** One of another container cannot be judged from here: nothing is stopped for it. */
function living({ processes }: Lease, moment: LeaseMoment): readonly LeaseProcess[] {
  return processes.filter(
    ({ identity }) => !sameMachine(identity, moment) || moment.isAlive(identity),
  );
}

/**
 * The leases of a project once another one has been asked for.
 *
 * For the same processes (or for none) it is the same lease, renewed: the later end counts, because somebody
 * else may have asked for it. What is over does not count any more.
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
