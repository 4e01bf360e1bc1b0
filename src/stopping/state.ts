import type { Claim } from '../ownership/claim.ts';
import type { SignalName } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';

/** One thing to stop: a service's run, the orphans nobody can name, or what the sweep found. */
export interface StopUnit {
  readonly name: string;
  /** Units of a wave are stopped side by side; a wave waits for the one before it. */
  readonly wave: number;
  readonly leader: Identity | null;
  readonly signal: SignalName;
  /** How long everything in the unit has to end before SIGKILL, in ms. */
  readonly graceMs: number;
  /** Is there a stop command to run before the first signal? */
  readonly hasCommand: boolean;
  /**
   * Is it left alone while a stop command is at work? What nobody can name may be of that command, or be
   * the command itself: between fork and exec it shows nothing but its parent, the supervisor.
   */
  readonly awaitsCommands?: boolean;
}

export type Phase =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'commanding'; readonly sinceMs: number }
  | { readonly kind: 'asking'; readonly sinceMs: number }
  | {
      readonly kind: 'killing';
      readonly sinceMs: number;
      /** When it was first killed in this stop: earlier, where it was proved gone and came back. */
      readonly firstMs: number;
      /** The smallest number of living processes seen, and how many scans brought no new low. */
      readonly fewest: number;
      /** When so few were seen first. */
      readonly fewestMs: number;
      readonly stuckScans: number;
      readonly frozen: ReadonlySet<string>;
      readonly freezeRounds: number;
      /** Control groups that were ended at once, or could not be. */
      readonly groups: ReadonlySet<string>;
    }
  | {
      readonly kind: 'ended';
      readonly atMs: number;
      /** When its grace period had run out, so that it took SIGKILL; null: it did not. */
      readonly killedMs: number | null;
    }
  | { readonly kind: 'survived'; readonly atMs: number };

export type Killing = Extract<Phase, { kind: 'killing' }>;

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
  /** Control groups with something of this unit in them. */
  readonly groupsOf: (unit: string) => readonly string[];
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
      readonly signal: SignalName;
    }
  | {
      readonly kind: 'signal';
      readonly unit: string;
      readonly target: Identity;
      readonly signal: SignalName;
    }
  /** SIGSTOP, so that nothing in the tree forks or notices a death while the rest is killed. */
  | { readonly kind: 'freeze'; readonly unit: string; readonly targets: readonly Identity[] }
  /** Everything in a control group at once, if all of it turns out to be the unit's: cgroup.kill. */
  | { readonly kind: 'kill-group'; readonly unit: string; readonly group: string }
  /** SIGKILL inside a scan, pids descending: wins against fork storms that outrun a snapshot. */
  | { readonly kind: 'kill'; readonly unit: string };

/** What a decision about one unit comes to. */
export interface UnitStep {
  readonly state: UnitState;
  readonly actions: readonly StopAction[];
}

/** A unit that is unknown holds nobody up. */
export function isOver(state: UnitState | undefined): boolean {
  return state === undefined || state.phase.kind === 'ended' || state.phase.kind === 'survived';
}
