import { asObject, isCount } from '../project/field-checks.ts';
import type { Sample, ServiceUse } from './samples.ts';

/** Formats a line of a file of samples: `{"atMs":…,"services":{"NAME":[processes,memoryBytes,cpuPercent]}}`. */
export function formatSample({ atMs, services }: Sample): string {
  const uses = Object.entries(services).map(([name, use]) => [name, toTuple(use)] as const);
  return JSON.stringify({ atMs, services: Object.fromEntries(uses) });
}

function toTuple({ processes, memoryBytes, cpuPercent }: ServiceUse): readonly number[] {
  return [processes, memoryBytes, Math.round(cpuPercent * 10) / 10];
}

/**
 * Checks a sample from disk.
 *
 * @param value one line, as a JSON value
 * @returns null when it is no sample, such as a line that was cut off
 */
export function parseSample(value: unknown): Sample | null {
  const fields = asObject(value);
  const services = asObject(fields?.services);
  if (!fields || !services || !isCount(fields.atMs)) return null;
  const uses: [string, ServiceUse][] = [];
  for (const [name, tuple] of Object.entries(services)) {
    if (!Array.isArray(tuple)) return null;
    const [processes, memoryBytes, cpuPercent] = tuple as readonly unknown[];
    if (!isCount(processes) || !isCount(memoryBytes)) return null;
    if (typeof cpuPercent !== 'number' || !(cpuPercent >= 0)) return null;
    uses.push([name, { processes, memoryBytes, cpuPercent }]);
  }
  return { atMs: fields.atMs, services: Object.fromEntries(uses) };
}

/**
 * Merges several rows of samples of the same time into one. Each row counts for the time before all finer
 * rows.
 *
 * @param tiers the finest first
 */
export function mergeTiers(tiers: readonly (readonly Sample[])[]): readonly Sample[] {
  let from = Number.POSITIVE_INFINITY;
  let merged: readonly Sample[] = [];
  for (const tier of tiers) {
    const older = tier.filter(({ atMs }) => atMs < from).toSorted((a, b) => a.atMs - b.atMs);
    merged = [...older, ...merged];
    from = merged[0]?.atMs ?? from;
  }
  return merged;
}
