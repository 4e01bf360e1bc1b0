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

/** After so many scans without a new low, freeze before killing: the tree forks faster than we kill. */
const STUCK_SCANS = 5;
/** Freezing gives up reaching a fixpoint after so many rounds and kills what it has. */
const MAX_FREEZE_ROUNDS = 20;
/**
 * SIGKILL cannot be refused: where so long nothing has died, what is left is stuck in the kernel or not ours to
 * signal. While some of them die, the others wait for the processor only, which dying takes as well.
 */
export const KILL_LIMIT_MS = 4_000;
/** However few of them die at a time: so long are the last ones waited for, in a storm and otherwise. */
const STORM_TOTAL_MS = 20_000;
export const SLOW_TOTAL_MS = 60_000;
/** The same for what is proved gone and comes back: a storm that hides between two scans. */
const KILL_TOTAL_MS = 10_000;

/** What is left when the grace period is over is killed from now on. */
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

/** Control groups at once; then SIGKILL in every scan; frozen first where force wants it, or where it forks faster than it dies. */
export function planKill(
  unit: StopUnit,
  state: UnitState,
  phase: Killing,
  living: readonly ProcessInfo[],
  { nowMs, snapshot, denied, groupsOf }: StopObservation,
  policy: StopPolicy,
): UnitStep {
  // First, because no fork outruns it, and because it reaches what may not be signalled (sudo).
  const groups = groupsOf(unit.name).filter((group) => !phase.groups.has(group));
  if (groups.length > 0) {
    const next = { ...phase, groups: new Set([...phase.groups, ...groups]) };
    const actions = groups.map(
      (group) => ({ kind: 'kill-group', unit: unit.name, group }) as const,
    );
    return { state: { ...state, phase: next }, actions };
  }
  const keys = living.map(({ identity }) => identityKey(identity));
  if (isOver(phase, living, nowMs, snapshot.nowTicks) || keys.every((key) => denied.has(key))) {
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
    // While they are only frozen, nothing can die.
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

/** Has it been killed for so long that more of it would not help? */
function isOver(
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
  // What is stuck in the kernel sleeps there; and who could run has only not been let. But not in a storm.
  return isStorm || !living.some(({ state }) => state === 'R');
}
