import type { Claim } from '../ownership/claim.ts';
import { type Identity, identityKey, sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';

/** One thing to stop: a service's run, the orphans nobody can name, or what the sweep found. */
export interface StopUnit {
  readonly name: string;
  /** Units of a wave are stopped side by side; a wave waits for the one before it. */
  readonly wave: number;
  readonly leader: Identity | null;
  readonly signal: NodeJS.Signals;
  /** How long everything in the unit has to end before SIGKILL, in ms. */
  readonly graceMs: number;
  /** Is there a stop command to run before the first signal? */
  readonly hasCommand: boolean;
}

type Phase =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'commanding'; readonly sinceMs: number }
  | { readonly kind: 'asking'; readonly sinceMs: number }
  | {
      readonly kind: 'killing';
      readonly sinceMs: number;
      /** The smallest number of living processes seen, and how many scans brought no new low. */
      readonly fewest: number;
      readonly stuckScans: number;
      readonly frozen: ReadonlySet<string>;
      readonly freezeRounds: number;
    }
  | {
      readonly kind: 'ended';
      readonly atMs: number;
      /** Did its grace period run out, so that it took SIGKILL? */
      readonly killed: boolean;
    }
  | { readonly kind: 'survived'; readonly atMs: number };

type Killing = Extract<Phase, { kind: 'killing' }>;

export interface UnitState {
  readonly phase: Phase;
  /** Identity keys of everything that got the stop signal. */
  readonly asked: ReadonlySet<string>;
  /** When the first of an unbroken row of empty scans was made; null when the last one was not. */
  readonly emptySinceMs: number | null;
  /** How often something of it was found alive after it had been proved gone. */
  readonly revivals: number;
}

export interface StopState {
  readonly units: ReadonlyMap<string, UnitState>;
  readonly waveBeganMs: readonly number[];
}

/** What the last scan saw. */
export interface StopObservation {
  readonly nowMs: number;
  readonly snapshot: Snapshot;
  /** Everything owned, whichever unit it belongs to: decides whether a whole group is ours. */
  readonly claims: ReadonlyMap<number, Claim>;
  readonly unitOf: (claim: Claim) => string;
  /** Units whose stop command has ended. */
  readonly commandsDone: ReadonlySet<string>;
  /** Identity keys that we may not signal (EPERM). */
  readonly denied: ReadonlySet<string>;
}

export interface StopPolicy {
  /** Freeze each tree before SIGKILL, and run no stop commands. */
  readonly force: boolean;
}

export type StopAction =
  | { readonly kind: 'run-command'; readonly unit: string }
  | {
      readonly kind: 'signal-group';
      readonly unit: string;
      readonly pgid: number;
      /** All of them owned; any one of them, verified, vouches for the group. */
      readonly members: readonly Identity[];
      readonly signal: NodeJS.Signals;
    }
  | {
      readonly kind: 'signal';
      readonly unit: string;
      readonly target: Identity;
      readonly signal: NodeJS.Signals;
    }
  /** SIGSTOP, so that nothing in the tree forks or notices a death while the rest is killed. */
  | { readonly kind: 'freeze'; readonly unit: string; readonly targets: readonly Identity[] }
  /** SIGKILL inside a scan, pids descending: wins against fork storms that outrun a snapshot. */
  | { readonly kind: 'kill'; readonly unit: string };

/**
 * Two empty scans at least this far apart prove that a unit is gone: a process can hide from one
 * scan by forking while /proc is read, and an environment is empty during execve.
 */
export const PROOF_GAP_MS = 50;
/** After so many scans without a new low, freeze before killing: the tree forks faster than we kill. */
const STUCK_SCANS = 5;
/** Freezing gives up reaching a fixpoint after so many rounds and kills what it has. */
const MAX_FREEZE_ROUNDS = 20;
/** SIGKILL cannot be refused: what is left after this long is stuck in the kernel or not ours to signal. */
export const KILL_LIMIT_MS = 4_000;
/** The default grace period. Services that keep to it stop in under 10 s together, whatever they do. */
export const DEFAULT_GRACE_MS = 3_000;
/** How long all waves but the last may hold up the last one, when no longer grace was asked for. */
const WAVES_BUDGET_MS = 4_500;
/** A unit that something outside of it starts again and again is given up after so many revivals. */
const MAX_REVIVALS = 20;
/** What SIGKILL usually needs after the grace period. */
const KILL_TIME_MS = 500;

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
 * Chooses what to do next from what the last scan saw.
 *
 * Asked before killed, wrappers before what they wrap: npm, turbo and docker compose end their own
 * children on SIGTERM and orphan them on SIGKILL (measured), so each unit's leader group is asked
 * first and the rest a little later. The grace period belongs to the whole claimed set: a leader
 * that ends at once does not shorten it for its children.
 *
 * Pure and total: no clock, no throw.
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
    const begun = unit.wave < waveBeganMs.length;
    const living = byUnit.get(unit.name) ?? [];
    const step = begun
      ? planUnit(unit, current, living, observation, policy)
      : { state: current, actions: [] };
    next.set(unit.name, step.state);
    actions.push(...step.actions);
  }
  return { state: { units: next, waveBeganMs }, actions };
}

interface UnitStep {
  readonly state: UnitState;
  readonly actions: readonly StopAction[];
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

  if (living.length === 0) return seeEmpty(state, nowMs);
  const seen = { ...state, emptySinceMs: null };
  if (phase.kind === 'killing') return planKill(unit, seen, phase, living, observation, policy);
  if (nowMs - phase.sinceMs < unit.graceMs) {
    return planAsk(unit, seen, phase.sinceMs, living, observation);
  }
  return planKill(unit, seen, beginKill(nowMs, living), living, observation, policy);
}

function beginKill(nowMs: number, living: readonly ProcessInfo[]): Killing {
  const fewest = living.length;
  const frozen = new Set<string>();
  return { kind: 'killing', sinceMs: nowMs, fewest, stuckScans: 0, frozen, freezeRounds: 0 };
}

/**
 * Something of it is there again although it was proved gone: a shutting-down service of another
 * unit left it behind, or a supervisor that did not stand down started it.
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
  const killed = state.phase.kind === 'ended' && state.phase.killed;
  // What was killed once had its grace: a storm that hides from two scans gets no other.
  const phase = killed ? beginKill(nowMs, living) : ({ kind: 'asking', sinceMs: nowMs } as const);
  return planUnit(unit, { ...state, phase, revivals }, living, observation, policy);
}

function seeEmpty(state: UnitState, nowMs: number): UnitStep {
  const emptySinceMs = state.emptySinceMs ?? nowMs;
  const proved = nowMs - emptySinceMs >= PROOF_GAP_MS;
  const killed = state.phase.kind === 'killing';
  const phase: Phase = proved ? { kind: 'ended', atMs: nowMs, killed } : state.phase;
  return { state: { ...state, phase, emptySinceMs }, actions: [] };
}

/** The stop signal: to the leader's group at once, to the rest when the leader is gone or slow. */
function planAsk(
  unit: StopUnit,
  state: UnitState,
  sinceMs: number,
  living: readonly ProcessInfo[],
  observation: StopObservation,
): UnitStep {
  const { leader } = unit;
  const heads = new Set(living.map(({ identity }) => identity.pid));
  const leads = leader !== null && living.some(({ identity }) => sameIdentity(identity, leader));
  // Without a leader the heads of the trees stand in for it: those whose parent is not in the unit.
  const isFirst = (process: ProcessInfo): boolean =>
    leads ? process.pgid === leader.pid : !heads.has(process.ppid);
  const leaderGone = leader !== null && !leads;
  const restIsDue = observation.nowMs - sinceMs >= unit.graceMs / 4 || leaderGone;
  const due = living.filter(
    (process) => !state.asked.has(identityKey(process.identity)) && (restIsDue || isFirst(process)),
  );
  if (due.length === 0) return { state, actions: [] };
  const asked = new Set([...state.asked, ...due.map(({ identity }) => identityKey(identity))]);
  const targets = aim(unit, due, observation);
  return {
    state: { ...state, asked },
    actions: [
      ...targets.map((target) => ({ ...target, signal: unit.signal })),
      // A stopped process (Ctrl-Z, a debugger) keeps the signal pending until it runs again.
      // systemd does the same (systemd.kill(5)).
      ...targets.map((target) => ({ ...target, signal: 'SIGCONT' as const })),
    ],
  };
}

type Target = Extract<StopAction, { kind: 'signal' | 'signal-group' }>;

/** One signal for each group that is wholly ours and wholly due, single signals for all others. */
function aim(
  unit: StopUnit,
  due: readonly ProcessInfo[],
  { snapshot, claims }: StopObservation,
): readonly Target[] {
  const dueKeys = new Set(due.map(({ identity }) => identityKey(identity)));
  const targets: Target[] = [];
  for (const pgid of new Set(due.map((process) => process.pgid))) {
    const members = (snapshot.byGroup.get(pgid) ?? []).filter((member) => !isGone(member));
    const whole = members.every(
      ({ identity }) => dueKeys.has(identityKey(identity)) && claims.has(identity.pid),
    );
    const identities = due.filter((process) => process.pgid === pgid).map((one) => one.identity);
    const { signal, name } = unit;
    if (whole && pgid > 1) {
      targets.push({ kind: 'signal-group', unit: name, pgid, members: identities, signal });
    } else {
      for (const target of identities) targets.push({ kind: 'signal', unit: name, target, signal });
    }
  }
  return targets;
}

function planKill(
  unit: StopUnit,
  state: UnitState,
  phase: Killing,
  living: readonly ProcessInfo[],
  { nowMs, denied }: StopObservation,
  policy: StopPolicy,
): UnitStep {
  const keys = living.map(({ identity }) => identityKey(identity));
  if (nowMs - phase.sinceMs >= KILL_LIMIT_MS || keys.every((key) => denied.has(key))) {
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
    stuckScans,
    frozen: freeze ? new Set([...phase.frozen, ...keys]) : phase.frozen,
    freezeRounds: phase.freezeRounds + (freeze ? 1 : 0),
  };
  const action: StopAction = freeze
    ? { kind: 'freeze', unit: unit.name, targets: unfrozen.map(({ identity }) => identity) }
    : { kind: 'kill', unit: unit.name };
  return { state: { ...state, phase: next }, actions: [action] };
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

/** A wave begins when the one before it is over, or has held it up for long enough. */
function beginWaves(
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

function isOver(state: UnitState | undefined): boolean {
  return state === undefined || state.phase.kind === 'ended' || state.phase.kind === 'survived';
}
