import type { Identity } from './identity.ts';
import { livesIn, type Snapshot } from './snapshot.ts';

/** Processor time in which a process could have answered: 250 ms. */
const ENOUGH_TICKS = 25;

/**
 * Tells whether a process that does not answer has only not got the processor since `before`, as on an overloaded
 * machine. False for a process that is suspended, stuck in a loop, or gone.
 */
export function isStarvedOfCpu(identity: Identity, before: Snapshot, now: Snapshot): boolean {
  if (isSuspended(identity, now)) return false;
  return cpuTicksOf(identity, now) - cpuTicksOf(identity, before) < ENOUGH_TICKS;
}

/** True for a process that Ctrl-Z, SIGSTOP or a debugger has stopped. It keeps its locks and ports until it goes on. */
export function isSuspended(identity: Identity, snapshot: Snapshot): boolean {
  if (!livesIn(snapshot, identity)) return false;
  return /^[Tt]$/.test(snapshot.byPid.get(identity.pid)?.state ?? '');
}

/** CPU ticks used. Infinity for a process that is gone, so that it never counts as starved. */
function cpuTicksOf(identity: Identity, snapshot: Snapshot): number {
  if (!livesIn(snapshot, identity)) return Number.POSITIVE_INFINITY;
  return snapshot.byPid.get(identity.pid)?.cpuTicks ?? Number.POSITIVE_INFINITY;
}
