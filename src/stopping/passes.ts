import type { Claim } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { runStop, type StopRun } from './engine.ts';
import type { StopState } from './state.ts';

/** Everything owned, by the costly evidence too (open files, ports); the quarry knows it from then on. */
export type CloserLook = (snapshot: Snapshot) => Promise<ReadonlyMap<number, Claim>>;

/** A stop that finds something alive again after its proof starts over, this often at most. */
const MAX_PASSES = 5;
/**
 * What is found by then has had no grace period yet and gets it. What is found later replaces what was
 * ended, faster than anybody looks: it is stopped in its tracks and killed.
 */
const GRACEFUL_PASSES = 2;

export interface PassesEnd {
  readonly state: StopState;
  /** What the last look still found; empty after a good stop. */
  readonly unended: readonly Claim[];
}

/**
 * After a stop and its proof: looks once more, closer, and stops what it finds, until a look finds
 * nothing.
 *
 * @param closer null: the usual evidence again
 */
export async function stopWhatIsFound(
  run: StopRun,
  ended: StopState,
  closer: CloserLook | null,
): Promise<PassesEnd> {
  let state = ended;
  for (let pass = 1; ; pass += 1) {
    const survivors = new Set(survivingKeys(run, state));
    const seen = await lookAgain(run, closer);
    // What replaces what has outlived SIGKILL would do so for ever.
    const hasSurvived = ({ process }: Claim): boolean =>
      survivors.has(identityKey(process.identity));
    const isLost = pass === 1 ? hasSurvived : (claim: Claim) => isOfSurvivor(run, state, claim);
    const found = seen.filter((claim) => !isLost(claim));
    if (found.length === 0 || pass > MAX_PASSES) return { state, unended: found };
    const hasGrace = pass <= GRACEFUL_PASSES;
    for (const { process } of hasGrace ? [] : found) {
      const { identity } = process;
      const outcome = await run.host.signal(identity, 'SIGSTOP');
      if (outcome === 'sent') run.history.signalled(identity, 'SIGSTOP');
    }
    const units = run.units.map((unit) => {
      return { ...unit, hasCommand: false, graceMs: hasGrace ? unit.graceMs : 0 };
    });
    state = await runStop({ ...run, units });
  }
}

/** Looks once and remembers: what only this evidence shows must be known before the next scan. */
export async function lookAgain(
  { host, units, quarry, history }: StopRun,
  closer: CloserLook | null,
): Promise<readonly Claim[]> {
  const names = new Set(units.map(({ name }) => name));
  const snapshot = await host.snapshot();
  const claims = closer ? await closer(snapshot) : quarry.claim(snapshot);
  const targeted = new Map([...claims].filter(([, claim]) => names.has(quarry.unitOf(claim))));
  quarry.remember(history.see(targeted));
  return [...targeted.values()];
}

/** What outlived SIGKILL, or may not be signalled, would only do so again. */
function survivingKeys(run: StopRun, state: StopState): readonly string[] {
  return run.history
    .entries()
    .filter(({ claim }) => isOfSurvivor(run, state, claim))
    .map(({ claim }) => identityKey(claim.process.identity));
}

function isOfSurvivor({ quarry }: StopRun, state: StopState, claim: Claim): boolean {
  return state.units.get(quarry.unitOf(claim))?.phase.kind === 'survived';
}
