import { identityKey } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { msToTicks } from '../processes/ticks.ts';
import type {
  Killing,
  Phase,
  StopAction,
  StopObservation,
  StopPolicy,
  StopUnit,
  UnitState,
  UnitStep,
} from './state.ts';

/** Scans without a new low after which the tree is frozen before it is killed: it forks faster than we kill. */
const STUCK_SCANS = 5;
/** Rounds of freezing after which the tree is killed although new processes still appear in it. */
const MAX_FREEZE_ROUNDS = 20;
/**
 * Longest time without a death before killing is given up. SIGKILL cannot be refused (signal(7)), so the
 * remaining processes are stuck in the kernel or not ours to signal. While some processes die, the others
 * only wait for the processor, because dying takes processor time as well.
 */
export const KILL_LIMIT_MS = 4_000;
/**
 * Upper bound for killing one unit, even while processes still die one by one: in a fork storm, and
 * otherwise.
 */
const STORM_TOTAL_MS = 20_000;
export const SLOW_TOTAL_MS = 60_000;
/** Upper bound for killing a unit that was proved gone and came back: a storm that hides between two scans. */
const KILL_TOTAL_MS = 10_000;

/** Begins to kill the processes that are left when the grace period is over. */
export function beginKill(nowMs: number, living: readonly ProcessInfo[], firstMs = nowMs): Killing {
  const fewest = living.length;
  const frozen = new Set<string>();
  const groups = new Set<string>();
  return {
    kind: 'killing',
    sinceMs: nowMs,
    firstMs,
    fewest,
    fewestMs: nowMs,
    stuckScans: 0,
    frozen,
    freezeRounds: 0,
    groups,
  };
}

/**
 * Plans the next kill: control groups at once, then SIGKILL in every scan. With force, or when the tree forks
 * faster than it dies, the tree is frozen first.
 */
export function planKill(
  unit: StopUnit,
  state: UnitState,
  phase: Killing,
  living: readonly ProcessInfo[],
  { nowMs, snapshot, denied, groupsOf }: StopObservation,
  policy: StopPolicy,
): UnitStep {
  // cgroup.kill comes first, because no fork outruns it, and it reaches processes that we may not signal (sudo).
  const groups = groupsOf(unit.name).filter((group) => !phase.groups.has(group));
  if (groups.length > 0) {
    const next = { ...phase, groups: new Set([...phase.groups, ...groups]) };
    const actions = groups.map(
      (group) => ({ kind: 'kill-group', unit: unit.name, group }) as const,
    );
    return { state: { ...state, phase: next }, actions };
  }
  const keys = living.map(({ identity }) => identityKey(identity));
  const isHopeless =
    isKilledLongEnough(phase, living, nowMs, snapshot.nowTicks) ||
    keys.every((key) => denied.has(key));
  if (isHopeless) {
    return { state: { ...state, phase: { kind: 'survived', atMs: nowMs } }, actions: [] };
  }
  const lower = living.length < phase.fewest;
  const stuckScans = lower ? 0 : phase.stuckScans + 1;
  const unfrozen = living.filter(({ identity }) => !phase.frozen.has(identityKey(identity)));
  const wantsFreeze = policy.force || stuckScans > STUCK_SCANS;
  const freeze = wantsFreeze && unfrozen.length > 0 && phase.freezeRounds < MAX_FREEZE_ROUNDS;
  const next: Phase = {
    ...phase,
    fewest: Math.min(phase.fewest, living.length),
    // A round that only freezes kills nothing.
    fewestMs: lower || freeze ? nowMs : phase.fewestMs,
    stuckScans,
    frozen: freeze ? new Set([...phase.frozen, ...keys]) : phase.frozen,
    freezeRounds: phase.freezeRounds + (freeze ? 1 : 0),
  };
  const action: StopAction = freeze
    ? { kind: 'freeze', unit: unit.name, targets: unfrozen.map(({ identity }) => identity) }
    : { kind: 'kill', unit: unit.name };
  return { state: { ...state, phase: next }, actions: [action] };
}

/** Tells whether a unit has been killed for so long that more kills would not help. */
function isKilledLongEnough(
  { sinceMs, firstMs, fewest, fewestMs }: Killing,
  living: readonly ProcessInfo[],
  nowMs: number,
  nowTicks: number,
): boolean {
  const isStorm = living.some(
    ({ identity }) => nowTicks - identity.startTicks < msToTicks(KILL_LIMIT_MS),
  );
  const total = isStorm ? STORM_TOTAL_MS : SLOW_TOTAL_MS;
  if (nowMs - firstMs >= (firstMs < sinceMs ? KILL_TOTAL_MS : total)) return true;
  if (living.length < fewest || nowMs - fewestMs < KILL_LIMIT_MS) return false;
  // A process that is stuck in the kernel sleeps there. A runnable one has only not got the processor yet,
  // except in a storm.
  return isStorm || !living.some(({ state }) => state === 'R');
}
