import { availableParallelism, loadavg } from 'node:os';
import type { Identity } from './identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from './snapshot.ts';

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
  const found = snapshot.byPid.get(identity.pid);
  return found !== undefined && livesIn(snapshot, identity) && isStopped(found);
}

/** CPU ticks used. Infinity for a process that is gone, so that it never counts as starved. */
function cpuTicksOf(identity: Identity, snapshot: Snapshot): number {
  if (!livesIn(snapshot, identity)) return Number.POSITIVE_INFINITY;
  return snapshot.byPid.get(identity.pid)?.cpuTicks ?? Number.POSITIVE_INFINITY;
}

/** The most that a time limit is stretched. */
const LONGEST_STRETCH = 6;

/**
 * The time to wait for a process that is at work, in ms: longer on a busy machine. Where ten processes want each core,
 * everything takes ten times as long, and a limit by the clock alone would call the process stuck.
 *
 * @param process as it was just read; null for a process that is gone. A suspended process gets no more time, because
 *   it does not run at all.
 * @param limitMs the time on a machine that is not busy
 * @param load the load average of the last minute for each core (getloadavg(3)); 0 on Windows
 */
export function patienceWith(
  process: Pick<ProcessInfo, 'state'> | null,
  limitMs: number,
  load = loadOfCore(),
): number {
  if (process === null || isStopped(process)) return limitMs;
  return limitMs * Math.min(Math.max(load, 1), LONGEST_STRETCH);
}

/** True for a process that a signal or a debugger has stopped (proc_pid_stat(5)). */
function isStopped({ state }: Pick<ProcessInfo, 'state'>): boolean {
  return /^[Tt]$/.test(state);
}

function loadOfCore(): number {
  return (loadavg()[0] ?? 0) / availableParallelism();
}
