import { identityKey } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { planAsk } from './asking.ts';
import { beginKill, planKill } from './killing.ts';
import {
  isOver,
  type Phase,
  type StopAction,
  type StopObservation,
  type StopPolicy,
  type StopState,
  type StopUnit,
  type UnitState,
  type UnitStep,
} from './state.ts';
import { beginWaves } from './waves.ts';

/**
 * Shortest time between the two empty scans that prove a unit gone. One scan is not enough: a process can
 * hide from it by forking while /proc is read, and an environment is empty during execve(2).
 */
export const PROOF_GAP_MS = 50;
/** Revivals after which a unit is given up, because something outside of it starts it again and again. */
const MAX_REVIVALS = 20;

export function beginStop(units: readonly StopUnit[]): StopState {
  const state: UnitState = {
    phase: { kind: 'waiting' },
    asked: new Set(),
    emptySinceMs: null,
    revivals: 0,
  };
  return { units: new Map(units.map(({ name }) => [name, state])), waveBeganMs: [] };
}

export function isStopOver(state: StopState): boolean {
  return [...state.units.values()].every(isOver);
}

/**
 * Plans the next actions from the last scan.
 *
 * Processes are asked before they are killed, and wrappers are asked before the processes that they wrap:
 * npm, turbo and docker compose end their own children on SIGTERM and orphan them on SIGKILL (measured). So
 * each unit's leader group is asked first and the rest a little later. The grace period belongs to the whole
 * claimed set: a leader that ends at once does not shorten it for its children.
 *
 * Never throws.
 */
export function planStop(
  state: StopState,
  units: readonly StopUnit[],
  observation: StopObservation,
  policy: StopPolicy,
): { readonly state: StopState; readonly actions: readonly StopAction[] } {
  const byUnit = groupByUnit(observation);
  const waveBeganMs = beginWaves(state, units, observation.nowMs);
  const next = new Map<string, UnitState>();
  const actions: StopAction[] = [];
  for (const unit of units) {
    const current = state.units.get(unit.name);
    if (!current) continue;
    const mustWait =
      unit.awaitsCommands === true &&
      [...state.units.values(), ...next.values()].some(({ phase }) => phase.kind === 'commanding');
    const begun = unit.wave < waveBeganMs.length && !mustWait;
    const living = byUnit.get(unit.name) ?? [];
    const step = begun
      ? planUnit(unit, current, living, observation, policy)
      : { state: current, actions: [] };
    next.set(unit.name, step.state);
    actions.push(...step.actions);
  }
  return { state: { units: next, waveBeganMs }, actions };
}

function planUnit(
  unit: StopUnit,
  state: UnitState,
  living: readonly ProcessInfo[],
  observation: StopObservation,
  policy: StopPolicy,
): UnitStep {
  const { nowMs } = observation;
  const { phase } = state;
  const stay = { state, actions: [] };

  switch (phase.kind) {
    case 'survived':
      return stay;
    case 'ended':
      return living.length === 0 ? stay : revive(unit, state, living, observation, policy);
    case 'waiting':
      if (!unit.hasCommand || policy.force) {
        const asking: UnitState = { ...state, phase: { kind: 'asking', sinceMs: nowMs } };
        return planUnit(unit, asking, living, observation, policy);
      }
      return {
        state: { ...state, phase: { kind: 'commanding', sinceMs: nowMs } },
        actions: [{ kind: 'run-command', unit: unit.name }],
      };
    case 'commanding': {
      const over = nowMs - phase.sinceMs >= unit.graceMs;
      if (!over && !observation.commandsDone.has(unit.name)) return stay;
      const asking: UnitState = { ...state, phase: { kind: 'asking', sinceMs: nowMs } };
      return planUnit(unit, asking, living, observation, policy);
    }
    case 'asking':
    case 'killing':
      break;
  }

  if (living.length === 0) return countEmptyScan(state, nowMs);
  const seen = { ...state, emptySinceMs: null };
  if (phase.kind === 'killing') return planKill(unit, seen, phase, living, observation, policy);
  // To wait is no use for a process that may not be signalled. A control group of ours may still end it.
  const isDenied = living.every(({ identity }) => observation.denied.has(identityKey(identity)));
  if (!isDenied && nowMs - phase.sinceMs < unit.graceMs) {
    return planAsk(unit, seen, phase.sinceMs, living, observation);
  }
  return planKill(unit, seen, beginKill(nowMs, living), living, observation, policy);
}

/**
 * Stops a unit again that was proved gone and has living processes now: a service of another unit left
 * them behind as it ended, or a supervisor that did not stand down started them.
 */
function revive(
  unit: StopUnit,
  state: UnitState,
  living: readonly ProcessInfo[],
  observation: StopObservation,
  policy: StopPolicy,
): UnitStep {
  const { nowMs } = observation;
  const revivals = state.revivals + 1;
  if (revivals > MAX_REVIVALS) {
    return { state: { ...state, phase: { kind: 'survived', atMs: nowMs } }, actions: [] };
  }
  const killedMs = state.phase.kind === 'ended' ? state.phase.killedMs : null;
  // A unit that was killed has had its grace period. A storm that hid from two scans gets no second one.
  const phase =
    killedMs === null
      ? ({ kind: 'asking', sinceMs: nowMs } as const)
      : beginKill(nowMs, living, killedMs);
  return planUnit(unit, { ...state, phase, revivals }, living, observation, policy);
}

/** Counts a scan without living processes of the unit. The second such scan proves it gone. */
function countEmptyScan(state: UnitState, nowMs: number): UnitStep {
  const emptySinceMs = state.emptySinceMs ?? nowMs;
  const proved = nowMs - emptySinceMs >= PROOF_GAP_MS;
  const killedMs = state.phase.kind === 'killing' ? state.phase.firstMs : null;
  const phase: Phase = proved ? { kind: 'ended', atMs: nowMs, killedMs } : state.phase;
  return { state: { ...state, phase, emptySinceMs }, actions: [] };
}

function groupByUnit({ claims, unitOf }: StopObservation): Map<string, ProcessInfo[]> {
  const byUnit = new Map<string, ProcessInfo[]>();
  for (const claim of claims.values()) {
    const name = unitOf(claim);
    const list = byUnit.get(name);
    if (list) list.push(claim.process);
    else byUnit.set(name, [claim.process]);
  }
  return byUnit;
}
