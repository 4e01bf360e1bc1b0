/** A limit that was exceeded, by a service or by all of them together. */
export interface Breach {
  /** Null: the project. */
  readonly service: string | null;
  readonly limit: 'processes' | 'memory' | 'cpu' | 'runtime' | 'idle';
  /** In the unit of the limit: processes, bytes, percent of one core, ms. */
  readonly value: number;
  readonly allowed: number;
  readonly action: 'warn' | 'stop' | 'restart';
  /** The part of the tree that has grown; null where that has no meaning, or is not known. */
  readonly branch: {
    readonly pid: number;
    readonly command: string;
    readonly processes: number;
    readonly memoryBytes: number;
  } | null;
  /** Since the epoch, in ms. */
  readonly atMs: number;
}
