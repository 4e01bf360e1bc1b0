import type { Claim } from '../ownership/claim.ts';
import type { SignalName } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';

/** One thing to stop: the run of a service, the orphans of no known service, or the catch of a sweep. */
export interface StopUnit {
  readonly name: string;
  /** Units of a wave are stopped side by side; a wave waits for the one before it. */
  readonly wave: number;
  readonly leader: Identity | null;
  /**
   * The processes that keep its terminal: the leader of the session on it, and the leader of the session that holds it.
   * They are asked when nothing else of the unit lives, because the last words of the others pass through them, and they
   * end by themselves then. Missing: it has no terminal.
   */
  readonly terminal?: { readonly session: Identity; readonly holder: Identity };
  readonly signal: SignalName;
  /** Grace period: the time between the stop signal and SIGKILL, in ms. */
  readonly graceMs: number;
  /** True when a stop command runs before the first signal. */
  readonly hasCommand: boolean;
  /**
   * True when the unit is left alone while a stop command is at work. An orphan of no known service may
   * belong to that command, or be the command itself: between fork(2) and execve(2) the command shows
   * nothing but its parent, the supervisor.
   */
  readonly awaitsCommands?: boolean;
}

/** How far the stop of one unit has come. */
export type Phase =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'commanding'; readonly sinceMs: number }
  | { readonly kind: 'asking'; readonly sinceMs: number }
  | {
      readonly kind: 'killing';
      readonly sinceMs: number;
      /** When this stop first killed the unit: before `sinceMs` if the unit was proved gone and came back. */
      readonly firstMs: number;
      /** The smallest number of living processes in any scan. */
      readonly fewest: number;
      /** When that number was first seen. */
      readonly fewestMs: number;
      /** Scans in a row without a smaller number. */
      readonly stuckScans: number;
      /** Identity keys of the processes that got SIGSTOP. */
      readonly frozen: ReadonlySet<string>;
      readonly freezeRounds: number;
      /** Control groups that devctl has ended at once, or has tried to. */
      readonly groups: ReadonlySet<string>;
    }
  | {
      readonly kind: 'ended';
      readonly atMs: number;
      /** When it was first killed because its grace period had run out; null: it ended before. */
      readonly killedMs: number | null;
    }
  | { readonly kind: 'survived'; readonly atMs: number };

export type Killing = Extract<Phase, { kind: 'killing' }>;

/** The state of one unit between two scans. */
export interface UnitState {
  readonly phase: Phase;
  /** Identity keys of every process that got the stop signal. */
  readonly asked: ReadonlySet<string>;
  /** Time of the first of an unbroken row of empty scans; null when the last scan was not empty. */
  readonly emptySinceMs: number | null;
  /** How often processes of it were found alive after it had been proved gone. */
  readonly revivals: number;
}

/** The state of a stop between two scans. */
export interface StopState {
  readonly units: ReadonlyMap<string, UnitState>;
  /** When each wave began, by number, as far as they have begun. */
  readonly waveBeganMs: readonly number[];
}

/** The result of the last scan, and of the actions so far. */
export interface StopObservation {
  readonly nowMs: number;
  readonly snapshot: Snapshot;
  /** All claims, of every unit: they decide whether a whole process group is ours. */
  readonly claims: ReadonlyMap<number, Claim>;
  readonly unitOf: (claim: Claim) => string;
  /** Lists the control groups with processes of this unit. */
  readonly groupsOf: (unit: string) => readonly string[];
  /** Units whose stop command has ended. */
  readonly commandsDone: ReadonlySet<string>;
  /** Identity keys of processes that we may not signal (EPERM, kill(2)). */
  readonly denied: ReadonlySet<string>;
}

/** How a person asked for the stop. */
export interface StopPolicy {
  /** Freeze each tree before SIGKILL, and run no stop commands. */
  readonly force: boolean;
}

/** An action that the plan asks the engine for. */
export type StopAction =
  | { readonly kind: 'run-command'; readonly unit: string }
  | {
      readonly kind: 'signal-group';
      readonly unit: string;
      readonly pgid: number;
      /** All members of the group, each claimed. The verified identity of any member vouches for the group. */
      readonly members: readonly Identity[];
      readonly signal: SignalName;
    }
  | {
      readonly kind: 'signal';
      readonly unit: string;
      readonly target: Identity;
      readonly signal: SignalName;
    }
  /** SIGSTOP, so that no process of the tree forks or notices a death while the others are killed. */
  | { readonly kind: 'freeze'; readonly unit: string; readonly targets: readonly Identity[] }
  /** cgroup.kill: ends a control group at once, if every process in it turns out to belong to the unit. */
  | { readonly kind: 'kill-group'; readonly unit: string; readonly group: string }
  /** SIGKILL inside a scan, pids descending: wins against fork storms that outrun a snapshot. */
  | { readonly kind: 'kill'; readonly unit: string };

/** A decision about one unit: its next state, and the actions that go with it. */
export interface UnitStep {
  readonly state: UnitState;
  readonly actions: readonly StopAction[];
}

/** Tells whether nothing more happens to a unit by itself. An unknown unit delays nothing. */
export function isOver(state: UnitState | undefined): boolean {
  return state === undefined || state.phase.kind === 'ended' || state.phase.kind === 'survived';
}
