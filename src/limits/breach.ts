import type { Limit, LimitKind } from '../manifest/resolved.ts';

/** A limit that was exceeded by a service, or by all services together. */
export interface Breach {
  /** Null: all services of the project together. */
  readonly service: string | null;
  readonly limit: LimitKind;
  /** In the unit of the limit: processes, bytes, percent of one core, ms. */
  readonly value: number;
  readonly allowed: number;
  readonly action: Limit['action'];
  /** For `memory`: 'pss' counts a page that processes share once, 'rss' counts it for each process. Else null. */
  readonly measuredAs: 'pss' | 'rss' | null;
  /** The part of the tree that has grown; null when that has no meaning, or is unknown. */
  readonly branch: BreachBranch | null;
  /** Since the epoch, in ms. */
  readonly atMs: number;
}

/** A process with all its descendants. */
export interface BreachBranch {
  readonly pid: number;
  readonly command: string;
  readonly processes: number;
  readonly memoryBytes: number;
  /** Null when the process belongs to no known service. */
  readonly service: string | null;
}
