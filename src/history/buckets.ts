import type { Sample } from './samples.ts';

/** Several samples of one stretch of time, gathered to become one sample. */
export interface Bucket {
  /** Number of the stretch: time since the epoch, divided by its width. */
  readonly number: number;
  /** Time of the last sample, since the epoch, in ms. */
  readonly atMs: number;
  /** Time that the samples speak of together. */
  readonly forMs: number;
  readonly services: ReadonlyMap<string, BucketUse>;
}

interface BucketUse {
  readonly processes: number;
  readonly memoryBytes: number;
  /** In percent of one core × ms. */
  readonly cpu: number;
}

/**
 * Adds a sample to the bucket of its stretch of time.
 *
 * @param forMs time that the sample speaks of: since the sample before
 * @param widthMs width of a stretch
 * @returns `done`: the sample of the full bucket, when this sample begins a new one
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

/**
 * Turns a bucket into one sample: the peak of processes and memory, because people look for peaks, and the
 * mean of the processor.
 */
export function toSample({ atMs, forMs, services }: Bucket): Sample {
  const uses = [...services].map(([name, { processes, memoryBytes, cpu }]) => {
    const cpuPercent = Math.round((10 * cpu) / forMs) / 10;
    return [name, { processes, memoryBytes, cpuPercent }] as const;
  });
  return { atMs, services: Object.fromEntries(uses) };
}
