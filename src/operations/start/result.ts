import type { StartedService } from '../../client/started-service.ts';
import type { LeaseStatus } from '../../leases/lease-status.ts';
import type { Breach } from '../../limits/breach.ts';

export interface StartResult {
  readonly services: readonly StartedService[];
  /** The services that were ended again because another one failed. */
  readonly aborted: readonly string[];
  /** The leases that everything runs on, as in `status`. */
  readonly leases: readonly LeaseStatus[];
  /** The limits that are already exceeded, mostly by services that ran before. */
  readonly breaches: readonly Breach[];
}
