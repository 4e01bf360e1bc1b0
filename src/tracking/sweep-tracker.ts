import type { Claim } from '../ownership/claim.ts';
import { type SweepRules, sweepClaims } from '../ownership/sweep.ts';
import { describeCommand } from '../processes/describe.ts';
import { identityKey } from '../processes/identity.ts';
import { type ClaimTrackerOptions, NO_CLAIMS, type TrackedClaims } from './claim-tracker.ts';
import { currentFacts, projectIdentity } from './facts.ts';
import { openNamedElsewhere } from './named-elsewhere.ts';
import { UNATTRIBUTED } from './project-state.ts';

/** The name of the unit for processes that only a pattern points to. */
export const SWEPT = '(sweep)';

/**
 * Tracks what the sweep finds, scan after scan, besides the processes that evidence makes ours.
 *
 * @param byEvidence the tracker of those processes
 */
export function trackSweep(
  options: ClaimTrackerOptions,
  rules: SweepRules,
  byEvidence: TrackedClaims,
): TrackedClaims {
  const remembered = new Map<string, Claim>();
  const commands = new Map<number, string>();
  const namedElsewhere = openNamedElsewhere();
  let latest: ReturnType<TrackedClaims['latest']> = NO_CLAIMS;
  return {
    commands,
    outside: new Set(),
    project: projectIdentity(options.state.folder),
    exemptRuns: options.state.exempt,
    // A process with our cookie was born in the middle of the scan. A service has just forked it, so it
    // is no find of the sweep.
    unitOf: ({ evidence }) =>
      evidence.some(({ kind }) => kind === 'cookie') ? UNATTRIBUTED : SWEPT,
    // A pattern is no evidence, so nothing goes into the ledger.
    remember() {},
    latest: () => latest,
    claim(snapshot) {
      const claimed = new Set(byEvidence.claim(snapshot).keys());
      const facts = { ...currentFacts(options, snapshot, []), project: byEvidence.project };
      const judge = () =>
        sweepClaims(namedElsewhere.addTo(facts), snapshot, rules, remembered, claimed);
      const first = judge();
      const theirs = namedElsewhere.ask(options.state.folder, first.claims.values(), snapshot);
      latest = { ...NO_CLAIMS, ...(theirs.length > 0 ? judge() : first) };
      options.state.folder.requireHere?.();
      for (const claim of latest.claims.values()) {
        const { identity } = claim.process;
        if (!commands.has(identity.pid)) {
          commands.set(identity.pid, describeCommand(snapshot, claim.process));
        }
        remembered.set(identityKey(identity), claim);
      }
      return latest.claims;
    },
  };
}
