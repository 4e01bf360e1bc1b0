import type { ServiceStatus } from '../../operations/status/report.ts';
import type { Theme } from './theme.ts';

/** Paints the state of a service: green is as it should be, red is not, yellow is on its way. */
export function paintState(
  {
    state,
    done,
    wanted,
    blockedBy,
    daemon,
  }: Pick<ServiceStatus, 'state' | 'done' | 'wanted' | 'blockedBy' | 'daemon'>,
  theme: Theme,
): string {
  if (blockedBy.length > 0) return theme.yellow('blocked');
  if (done) return theme.green('done');
  if (state === 'ready' || state === 'running')
    return theme.green(daemon ? `${state} (daemon)` : state);
  if (state === 'failed' || state === 'unhealthy') return theme.red(state);
  return wanted && state !== 'stopped' ? theme.yellow(state) : state;
}
