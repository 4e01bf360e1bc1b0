import type { Sample } from './samples.ts';

/** Several samples of the same stretch of time, on their way to be one. */
export interface Bucket {
  readonly number: number;
  readonly atMs: number;
  /** How long they speak of, together. */
  readonly forMs: number;
  readonly services: ReadonlyMap<string, BucketUse>;
}

interface BucketUse {
  readonly processes: number;
  readonly memoryBytes: number;
  /** Percent of one core × ms. */
  readonly cpu: number;
}

/**
 * Adds a sample to those before it that fall into the same stretch of time.
 *
 * @param forMs how long it speaks of: since the one before
 * @returns `done`: the one that stands for those of the stretch before, when this begins a new one
 */
export function addToBucket(
  bucket: Bucket | null,
  sample: Sample,
  forMs: number,
  widthMs: number,
): { readonly bucket: Bucket; readonly done: Sample | null } {
  const number = Math.floor(sample.atMs / widthMs);
  if (bucket !== null && bucket.number !== number) {
    const { bucket: fresh } = addToBucket(null, sample, forMs, widthMs);
    return { bucket: fresh, done: toSample(bucket) };
  }
  const ms = Math.max(1, Math.min(forMs, widthMs));
  const services = new Map(bucket?.services);
  for (const [name, use] of Object.entries(sample.services)) {
    const known = services.get(name) ?? { processes: 0, memoryBytes: 0, cpu: 0 };
    services.set(name, {
      processes: Math.max(known.processes, use.processes),
      memoryBytes: Math.max(known.memoryBytes, use.memoryBytes),
      cpu: known.cpu + use.cpuPercent * ms,
    });
  }
  const made = { number, atMs: sample.atMs, forMs: (bucket?.forMs ?? 0) + ms, services };
  return { bucket: made, done: null };
}

/** The most that there was of processes and memory, because a peak is what people look for; the mean of the cpu. */
export function toSample({ atMs, forMs, services }: Bucket): Sample {
  const uses = [...services].map(([name, { processes, memoryBytes, cpu }]) => {
    const cpuPercent = Math.round((10 * cpu) / forMs) / 10;
    return [name, { processes, memoryBytes, cpuPercent }] as const;
  });
  return { atMs, services: Object.fromEntries(uses) };
}
