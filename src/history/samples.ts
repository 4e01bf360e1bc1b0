/** The use of one service at one moment. */
export interface ServiceUse {
  readonly processes: number;
  /** RSS of its tree (sum), in bytes. */
  readonly memoryBytes: number;
  /** Since the sample before, in percent of one core. */
  readonly cpuPercent: number;
}

/** The use of all services of the project at one moment. */
export interface Sample {
  /** Since the epoch, in ms. */
  readonly atMs: number;
  /** Only services with living processes. */
  readonly services: Readonly<Record<string, ServiceUse>>;
}

/** Time between two samples, while the use changes or somebody subscribes to the samples. */
export const SAMPLE_MS = 1000;
