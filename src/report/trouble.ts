import type { ServiceTrouble } from './model.ts';
import type { StateChange } from './spans.ts';

/**
 * Finds what is wrong with a service at the end of a period, or else what was wrong within it. A failure counts more than
 * a service that waited for another one.
 *
 * @param changes of this service, in order of time, until the end of the period
 * @param fromMs the beginning of the period
 */
export function troubleOf(changes: readonly StateChange[], fromMs: number): ServiceTrouble | null {
  // A stop mends nothing: what it has found failed is told as failed.
  const lasting = changes.findLast(({ to }) => to !== 'idle' && to !== 'stopping');
  const kindNow = lasting ? kindOf(lasting) : null;
  const isStopped = lasting !== changes.at(-1);
  const isOver = isStopped && (kindNow === 'unhealthy' || (lasting?.atMs ?? 0) < fromMs);
  if (lasting && kindNow && !isOver) {
    return { kind: kindNow, isNow: true, reason: lasting.reason };
  }
  const earlier = changes.filter((change) => change.atMs >= fromMs && change !== lasting);
  const worst =
    earlier.findLast((change) => kindOf(change) === 'failed') ??
    earlier.findLast((change) => kindOf(change) === 'blocked');
  const kind = worst && kindOf(worst);
  return worst && kind ? { kind, isNow: false, reason: worst.reason } : null;
}

function kindOf({ to, blockedBy }: StateChange): ServiceTrouble['kind'] | null {
  if (to === 'unhealthy') return 'unhealthy';
  if (to !== 'failed') return null;
  return blockedBy && blockedBy.length > 0 ? 'blocked' : 'failed';
}
