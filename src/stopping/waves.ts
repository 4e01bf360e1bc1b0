import { isOver, type StopState, type StopUnit } from './state.ts';

/** Default grace period. A project with this grace period stops in under 10 s, whatever its services do. */
export const DEFAULT_GRACE_MS = 3_000;
/** Time by which all earlier waves together may delay the last wave, if no longer grace period was asked for. */
const WAVES_BUDGET_MS = 4_500;
/** Time that SIGKILL usually needs after the grace period. */
const KILL_TIME_MS = 500;

/**
 * Begins each wave whose predecessor is over, or has delayed it for long enough.
 *
 * @returns when each wave began, by number
 */
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
    const delayMs = nowMs - (began.at(-1) ?? nowMs);
    if (!over && delayMs < longestDelayMs(members, waves)) break;
    began.push(nowMs);
  }
  return began;
}

/**
 * Returns how long a wave may delay the next one. A grace period longer than the default is waited for,
 * whatever that takes; the usual grace periods share a budget.
 */
function longestDelayMs(members: readonly StopUnit[], waves: number): number {
  const longest = Math.max(...members.map(({ graceMs }) => graceMs), 0);
  const own = longest + KILL_TIME_MS;
  return longest > DEFAULT_GRACE_MS ? own : Math.min(own, WAVES_BUDGET_MS / (waves - 1));
}
