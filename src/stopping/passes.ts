import type { Claim } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { isHurried, runStop, type StopRun, withForceGrace } from './engine.ts';
import { observedClock } from './observed-clock.ts';
import { PROOF_GAP_MS } from './plan.ts';
import type { StopState, StopUnit } from './state.ts';

/**
 * Claims every process of ours, by the costly evidence too (open files, ports). The source of claims knows
 * these processes from then on.
 */
export type DeepScan = (snapshot: Snapshot) => Promise<ReadonlyMap<number, Claim>>;

/**
 * Passes that give the whole grace period to the processes they find, because those have had none yet.
 * Processes found in later passes are respawns: they get the rest of it, then SIGSTOP and SIGKILL.
 */
const GRACEFUL_PASSES = 2;
/** Most passes that kill processes without any grace period, before devctl gives up. */
const MAX_KILLS = 3;

/** How the passes ended. */
export interface PassesOutcome {
  readonly state: StopState;
  /** Claims that the last scan still found; empty after a good stop. */
  readonly unended: readonly Claim[];
}

/**
 * Scans again after a stop and its proof, with all evidence, and stops what it finds, until a scan finds
 * nothing. Once it has found anything, it needs two such scans with a pause in between, because a process
 * that replaces itself can hide from one scan.
 *
 * @param deepScan null: scans with the usual evidence
 */
export async function stopUntilNothingIsFound(
  run: StopRun,
  ended: StopState,
  deepScan: DeepScan | null,
): Promise<PassesOutcome> {
  let state = ended;
  let pass = 0;
  let kills = 0;
  let wasEmpty = false;
  const observedMs = observedClock(() => run.host.nowMs());
  const beganMs = observedMs();
  const onScan = (living: readonly Claim[]): void => {
    observedMs();
    run.onScan(living);
  };
  for (;;) {
    const survivors = new Set(survivingKeys(run, state));
    const seen = await scanAgain(run, deepScan);
    // A process that outlived SIGKILL would outlive it again. A respawn of such a process would never end.
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
    state = await runStop({ ...run, units, onScan });
  }
}

function hasNoGrace({ source }: StopRun, units: readonly StopUnit[], claim: Claim): boolean {
  return units.find(({ name }) => name === source.unitOf(claim))?.graceMs === 0;
}

/** Scans once and remembers the result, because the next scan must know what only this evidence shows. */
export async function scanAgain(
  { host, units, source, history }: StopRun,
  deepScan: DeepScan | null,
): Promise<readonly Claim[]> {
  const names = new Set(units.map(({ name }) => name));
  const snapshot = await host.snapshot();
  const claims = deepScan ? await deepScan(snapshot) : source.claim(snapshot);
  const targeted = new Map([...claims].filter(([, claim]) => names.has(source.unitOf(claim))));
  source.remember(history.recordLiving(targeted));
  return [...targeted.values()];
}

/** Lists the identity keys of the processes of all units that outlived SIGKILL or may not be signalled. */
function survivingKeys(run: StopRun, state: StopState): readonly string[] {
  return run.history
    .entries()
    .filter(({ claim }) => isOfSurvivor(run, state, claim))
    .map(({ claim }) => identityKey(claim.process.identity));
}

function isOfSurvivor({ source }: StopRun, state: StopState, claim: Claim): boolean {
  return state.units.get(source.unitOf(claim))?.phase.kind === 'survived';
}
