import type { ServiceStatus } from '../../operations/status/report.ts';
import type { Theme } from './theme.ts';

/** Paints the state of a service: green is as it should be, red is not, yellow is on its way. */
export function paintState(
  { state, done, wanted }: Pick<ServiceStatus, 'state' | 'done' | 'wanted'>,
  theme: Theme,
): string {
  if (done) return theme.green('done');
  if (state === 'ready' || state === 'running') return theme.green(state);
  if (state === 'failed' || state === 'unhealthy') return theme.red(state);
  return wanted && state !== 'stopped' ? theme.yellow(state) : state;
}
