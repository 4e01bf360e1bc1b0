import { createSampler } from '../../history/sampler.ts';
import type { Breach } from '../../limits/breach.ts';
import { createLimitMeter } from '../../limits/meter.ts';
import type { Limit } from '../../manifest/resolved.ts';
import type { Claim } from '../../ownership/claim.ts';
import { bytesWritten } from '../../processes/linux/written-bytes.ts';
import type { ScanListener } from '../../tracking/witness.ts';

/** Makes a listener that measures a one-off at each scan of the witness, and reports each breach once. */
export function watchRunLimits(
  name: string,
  limits: readonly Limit[],
  onBreach: (breach: Breach) => void,
): ScanListener {
  const sampler = createSampler({ sample: () => {} });
  const meter = createLimitMeter(name);
  const isIdleLimited = limits.some(({ kind }) => kind === 'idle');
  return {
    onScan(snapshot, claims) {
      const sample = sampler.onScan(snapshot, claims);
      if (!sample) return;
      const { fresh } = meter.measure(limits, claims, snapshot, {
        cpuPercent: sample.services[name]?.cpuPercent ?? 0,
        runtimeMs: 0,
        output: isIdleLimited ? bytesWrittenBy(claims) : null,
      });
      for (const breach of fresh) onBreach(breach);
    },
    isMoving: sampler.isMoving,
    // Scan often when a limit may end the one-off, so that a short peak does not depend on chance.
    isWatched: () => meter.isNear() || limits.some(({ action }) => action !== 'warn'),
  };
}

/**
 * Joins the limits of a one-off with those of the project. The limits of the project only warn here, even if they end
 * services.
 *
 * @param own the limits of its options, each kind at most once
 */
export function runLimits(own: readonly Limit[], project: readonly Limit[]): readonly Limit[] {
  const others = project.filter(({ kind }) => !own.some((limit) => limit.kind === kind));
  return [...own, ...others.map((limit) => ({ ...limit, action: 'warn' as const }))];
}

/**
 * The bytes that each process has written, as one text: it changes whenever one of them writes. The output of a one-off
 * goes straight to the terminal, so it cannot be counted there.
 */
function bytesWrittenBy(claims: readonly Claim[]): string {
  return claims.map(({ process }) => bytesWritten(process.identity.pid) ?? '').join(' ');
}
