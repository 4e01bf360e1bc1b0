import type { ContainersStop } from '../../containers/report.ts';
import type { Claim, OneOffParent } from '../../ownership/claim.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { StopHistory } from '../../stopping/history.ts';
import type { StopState, StopUnit } from '../../stopping/state.ts';
import type { ClaimTracker, TrackedClaims } from '../../tracking/claim-tracker.ts';

/** The outcome of the stop engine, from which `build-report.ts` makes the report. */
export interface StopOutcome {
  readonly units: readonly StopUnit[];
  readonly state: StopState;
  readonly history: StopHistory;
  readonly owned: ClaimTracker;
  readonly swept: TrackedClaims | null;
  readonly problems: readonly string[];
  /** The services whose stop command ran where nothing contains the processes that it leaves. */
  readonly uncontainedCommands: readonly string[];
  readonly beganAtMs: number;
  /** The processes that even the last pass found: they are replaced faster than they can be ended. */
  readonly unended: readonly Claim[];
}

/** The outcome of a stop, processes and containers. */
export interface WholeOutcome extends VerifiedOutcome {
  readonly containers: ContainersStop | null;
}

/** The outcome of a stop, with the answers of the kernel about children of subreapers. */
export interface VerifiedOutcome extends StopOutcome {
  /** The supervisors that still lived when everything else had ended. */
  readonly supervisors: readonly ProcessInfo[];
  /** The guards that still lived then. */
  readonly guards: readonly ProcessInfo[];
  /** The `devctl run` commands that were there during the whole stop. */
  readonly oneOffParents: readonly OneOffParent[];
  /**
   * True when the kernel says that none of them has a child. False when one has, or a process survived. Null when one
   * could not be asked.
   */
  readonly childless: boolean | null;
}
