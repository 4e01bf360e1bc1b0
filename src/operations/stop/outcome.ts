import type { Claim, OneOffParent } from '../../ownership/claim.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { StopHistory } from '../../stopping/history.ts';
import type { StopState, StopUnit } from '../../stopping/state.ts';
import type { ClaimTracker, TrackedClaims } from '../../tracking/claim-tracker.ts';

/** The raw outcome, from which `stop-report.ts` makes the report. */
export interface StopOutcome {
  readonly units: readonly StopUnit[];
  readonly state: StopState;
  readonly history: StopHistory;
  readonly owned: ClaimTracker;
  readonly swept: TrackedClaims | null;
  readonly problems: readonly string[];
  /** Services whose stop command was run where nobody holds what it leaves. */
  readonly unheld: readonly string[];
  readonly beganAtMs: number;
  /** What the last look of many still found: it comes back faster than it can be ended. */
  readonly unended: readonly Claim[];
}

/** A stop with what its supervisors could add to the proof. */
export interface VerifiedOutcome extends StopOutcome {
  /** Those that still lived when everything else had ended. */
  readonly supervisors: readonly ProcessInfo[];
  readonly guards: readonly ProcessInfo[];
  readonly oneOffParents: readonly OneOffParent[];
  /** What the kernel said of their children; null where nobody could be asked. */
  readonly childless: boolean | null;
}
