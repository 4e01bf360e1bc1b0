import type { StartedService } from '../../client/started-service.ts';
import type { StartedContainer } from '../../containers/up.ts';
import type { LeaseStatus } from '../../leases/lease-status.ts';
import type { Breach } from '../../limits/breach.ts';

/** A service that runs, and the manifest keys that have changed since its run began. */
export interface ChangedService {
  readonly service: string;
  readonly keys: readonly string[];
}

export interface StartResult {
  readonly services: readonly StartedService[];
  /** The services that were up and were ended again because another one failed. */
  readonly aborted: readonly string[];
  /** True when a stop came first, such as that at the end of a lease, and the start has given way to it. */
  readonly abandoned: boolean;
  /** The services that run on as they were defined before, with the manifest keys that have changed since. */
  readonly changed: readonly ChangedService[];
  /** The leases that everything runs on, as in `status`. */
  readonly leases: readonly LeaseStatus[];
  /** The limits that are already exceeded, mostly by services that ran before. */
  readonly breaches: readonly Breach[];
  /** The containers that the start has brought up, or found up. */
  readonly containers: readonly StartedContainer[];
}
