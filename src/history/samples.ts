/** What one service used, in one look. */
export interface ServiceUse {
  readonly processes: number;
  /** RSS of its tree (sum), in bytes. */
  readonly memoryBytes: number;
  /** Since the sample before, in percent of one core. */
  readonly cpuPercent: number;
}

/** One look at all services of the project. */
export interface Sample {
  /** Since the epoch, in ms. */
  readonly atMs: number;
  /** Only those of which something is alive. */
  readonly services: Readonly<Record<string, ServiceUse>>;
}

/** The time between two samples, while something moves or somebody looks at them. */
export const SAMPLE_MS = 1000;
