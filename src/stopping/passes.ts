import type { Claim } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { isHurried, runStop, type StopRun, withForceGrace } from './engine.ts';
import { observedClock } from './observed-clock.ts';
import { PROOF_GAP_MS } from './plan.ts';
import type { StopState, StopUnit } from './state.ts';

/** Everything owned, by the costly evidence too (open files, ports); the source knows it from then on. */
export type DeepScan = (snapshot: Snapshot) => Promise<ReadonlyMap<number, Claim>>;

/**
 * What is found by then has had no grace period yet and gets all of it. What is found later replaces what
 * was asked, and gets what is left of it; after that it is stopped in its tracks and killed.
 */
const GRACEFUL_PASSES = 2;
/** What is found after it was killed and proved gone is killed again, this often at most. */
const MAX_KILLS = 3;

export interface PassesOutcome {
  readonly state: StopState;
  /** What the last look still found; empty after a good stop. */
  readonly unended: readonly Claim[];
}

/**
 * After a stop and its proof: looks once more, closer, and stops what it finds, until nothing is found:
 * in one look, or, where something had been, in two with a pause between them, since what replaces
 * itself can hide from one.
 *
 * @param closer null: the usual evidence again
 */
export async function stopUntilNothingIsFound(
  run: StopRun,
  ended: StopState,
  closer: DeepScan | null,
): Promise<PassesOutcome> {
  let state = ended;
  let pass = 0;
  let kills = 0;
  let wasEmpty = false;
  const observedMs = observedClock(() => run.host.nowMs());
  const beganMs = observedMs();
  const watch = (living: readonly Claim[]): void => {
    observedMs();
    run.onScan(living);
  };
  for (;;) {
    const survivors = new Set(survivingKeys(run, state));
    const seen = await scanAgain(run, closer);
    // What replaces what has outlived SIGKILL would do so for ever.
    const hasSurvived = ({ process }: Claim): boolean =>
      survivors.has(identityKey(process.identity));
    const isLost = pass === 0 ? hasSurvived : (claim: Claim) => isOfSurvivor(run, state, claim);
    const found = seen.filter((claim) => !isLost(claim));
    if (found.length === 0) {
      if (pass === 0 || wasEmpty) return { state, unended: [] };
      wasEmpty = true;
      await run.host.delay(PROOF_GAP_MS);
      continue;
    }
    wasEmpty = false;
    pass += 1;
    const passedMs = observedMs() - beganMs;
    const units = run.units.map((unit): StopUnit => {
      const { graceMs } = isHurried(run) ? withForceGrace(unit) : unit;
      const leftMs = pass <= GRACEFUL_PASSES ? graceMs : Math.max(0, graceMs - passedMs);
      return { ...unit, hasCommand: false, graceMs: leftMs };
    });
    const late = found.filter((claim) => hasNoGrace(run, units, claim));
    if (late.length > 0) {
      if (kills === MAX_KILLS) return { state, unended: found };
      kills += 1;
    }
    for (const { process } of late) {
      const { identity } = process;
      const outcome = await run.host.signal(identity, 'SIGSTOP');
      if (outcome === 'sent') run.history.recordSignal(identity, 'SIGSTOP');
    }
    state = await runStop({ ...run, units, onScan: watch });
  }
}

function hasNoGrace({ source }: StopRun, units: readonly StopUnit[], claim: Claim): boolean {
  return units.find(({ name }) => name === source.unitOf(claim))?.graceMs === 0;
}

/** Looks once and remembers: what only this evidence shows must be known before the next scan. */
export async function scanAgain(
  { host, units, source, history }: StopRun,
  closer: DeepScan | null,
): Promise<readonly Claim[]> {
  const names = new Set(units.map(({ name }) => name));
  const snapshot = await host.snapshot();
  const claims = closer ? await closer(snapshot) : source.claim(snapshot);
  const targeted = new Map([...claims].filter(([, claim]) => names.has(source.unitOf(claim))));
  source.remember(history.recordLiving(targeted));
  return [...targeted.values()];
}

/** What outlived SIGKILL, or may not be signalled, would only do so again. */
function survivingKeys(run: StopRun, state: StopState): readonly string[] {
  return run.history
    .entries()
    .filter(({ claim }) => isOfSurvivor(run, state, claim))
    .map(({ claim }) => identityKey(claim.process.identity));
}

function isOfSurvivor({ source }: StopRun, state: StopState, claim: Claim): boolean {
  return state.units.get(source.unitOf(claim))?.phase.kind === 'survived';
}
