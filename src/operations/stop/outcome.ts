import type { Claim, OneOffHost } from '../../ownership/claim.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { History } from '../../stopping/history.ts';
import type { StopState, StopUnit } from '../../stopping/state.ts';
import type { OwnedQuarry, TrackedQuarry } from '../../tracking/claim-tracker.ts';

/** The raw outcome, from which `stop-report.ts` makes the report. */
export interface StopOutcome {
  readonly units: readonly StopUnit[];
  readonly state: StopState;
  readonly history: History;
  readonly owned: OwnedQuarry;
  readonly swept: TrackedQuarry | null;
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
  readonly hosts: readonly OneOffHost[];
  /** What the kernel said of their children; null where nobody could be asked. */
  readonly childless: boolean | null;
}
