import type { ResolvedService } from '../../manifest/resolved.ts';

const SETTLE_MS = 1_000;

/**
 * Says how long a service without a readiness probe must live to count as ready, in ms.
 *
 * @param _service undefined where the manifest does not name it, or cannot be read
 */
export function settleTime(_service: ResolvedService | undefined): number {
  return SETTLE_MS;
}
