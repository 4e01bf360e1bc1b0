import { createSampler } from '../../history/sampler.ts';
import type { Breach } from '../../limits/evaluate.ts';
import { createLimitMeter } from '../../limits/meter.ts';
import type { Limit } from '../../manifest/resolved.ts';
import type { Claim } from '../../ownership/claim.ts';
import { bytesWritten } from '../../processes/linux/written-bytes.ts';
import type { ScanListener } from '../../tracking/witness.ts';

/** Keeps a one-off to its limits: what the witness sees of it is measured, and each breach told once. */
export function watchRunLimits(
  name: string,
  limits: readonly Limit[],
  tell: (breach: Breach) => void,
): ScanListener {
  const sampler = createSampler({ sample: () => {} });
  const tree = createLimitMeter(name);
  const isIdleLimited = limits.some(({ kind }) => kind === 'idle');
  return {
    onScan(snapshot, claims) {
      const sample = sampler.onScan(snapshot, claims);
      if (!sample) return;
      const { fresh } = tree.measure(limits, claims, snapshot, {
        cpuPercent: sample.services[name]?.cpuPercent ?? 0,
        runtimeMs: 0,
        output: isIdleLimited ? writtenBy(claims) : null,
      });
      for (const breach of fresh) tell(breach);
    },
    isMoving: sampler.isMoving,
    // What ends it is not left to chance.
    isWatched: () => tree.isNear() || limits.some(({ action }) => action !== 'warn'),
  };
}

/**
 * What its options say, and for the rest the warnings of the project, whatever it would do to its services.
 *
 * @param own each kind at most once
 */
export function runLimits(own: readonly Limit[], project: readonly Limit[]): readonly Limit[] {
  const others = project.filter(({ kind }) => !own.some((limit) => limit.kind === kind));
  return [...own, ...others.map((limit) => ({ ...limit, action: 'warn' as const }))];
}

/** Its output passes nobody of ours, but what its processes write is counted. */
function writtenBy(claims: readonly Claim[]): string {
  return claims.map(({ process }) => bytesWritten(process.identity.pid) ?? '').join(' ');
}
