import type { Identity } from './identity.ts';
import { livesIn, type Snapshot } from './snapshot.ts';

/** 250 ms of the processor: enough to say a word. */
const ENOUGH_TICKS = 25;

/**
 * Whether a process that does not answer has only not been let run since a moment, as on a machine on its
 * knees, rather than that it is suspended, stuck in a loop, or gone.
 *
 * @param before of that moment
 */
export function isStarvedOfCpu(identity: Identity, before: Snapshot, now: Snapshot): boolean {
  if (isSuspended(identity, now)) return false;
  return cpuTicksOf(identity, now) - cpuTicksOf(identity, before) < ENOUGH_TICKS;
}

/** Ctrl-Z, SIGSTOP, a debugger: it holds what it has until somebody lets it go on. */
export function isSuspended(identity: Identity, snapshot: Snapshot): boolean {
  if (!livesIn(snapshot, identity)) return false;
  return /^[Tt]$/.test(snapshot.byPid.get(identity.pid)?.state ?? '');
}

/** What it has had of the processor; no end of it for one that is gone. */
function cpuTicksOf(identity: Identity, snapshot: Snapshot): number {
  if (!livesIn(snapshot, identity)) return Number.POSITIVE_INFINITY;
  return snapshot.byPid.get(identity.pid)?.cpuTicks ?? Number.POSITIVE_INFINITY;
}
