import { isOver, type StopState, type StopUnit } from './state.ts';

/** The default grace period. Services that keep to it stop in under 10 s together, whatever they do. */
export const DEFAULT_GRACE_MS = 3_000;
/** How long all waves but the last may hold up the last one, when no longer grace was asked for. */
const WAVES_BUDGET_MS = 4_500;
/** What SIGKILL usually needs after the grace period. */
const KILL_TIME_MS = 500;

/** A wave begins when the one before it is over, or has held it up for long enough. */
export function beginWaves(
  state: StopState,
  units: readonly StopUnit[],
  nowMs: number,
): readonly number[] {
  const waves = Math.max(0, ...units.map(({ wave }) => wave + 1));
  const began = [...state.waveBeganMs];
  if (began.length === 0 && waves > 0) began.push(nowMs);
  while (began.length < waves) {
    const members = units.filter(({ wave }) => wave === began.length - 1);
    const over = members.every(({ name }) => isOver(state.units.get(name)));
    const heldMs = nowMs - (began.at(-1) ?? nowMs);
    if (!over && heldMs < holdMs(members, waves)) break;
    began.push(nowMs);
  }
  return began;
}

/** Longer graces are kept in order, whatever that takes; the usual ones share a budget. */
function holdMs(members: readonly StopUnit[], waves: number): number {
  const longest = Math.max(...members.map(({ graceMs }) => graceMs), 0);
  const own = longest + KILL_TIME_MS;
  return longest > DEFAULT_GRACE_MS ? own : Math.min(own, WAVES_BUDGET_MS / (waves - 1));
}
