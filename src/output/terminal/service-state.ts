import type { ServiceStatus } from '../../operations/status/report.ts';
import type { Theme } from './theme.ts';

/** The part of a status that makes its state. */
export type StateParts = Pick<
  ServiceStatus,
  'state' | 'done' | 'wanted' | 'blockedBy' | 'daemon' | 'changed' | 'undeclared' | 'adHoc'
>;

/**
 * Paints the state of a service with its marks: green is as it should be, red is not, yellow is on its way, or not as the
 * manifest says.
 */
export function paintState(service: StateParts, theme: Theme): string {
  const marks = [
    ...(service.undeclared ? ['(undeclared)'] : []),
    ...((service.changed ?? []).length > 0 ? ['(changed)'] : []),
  ];
  const kind = service.adHoc ? [theme.dim('(ad hoc)')] : [];
  return [bareState(service, theme), ...kind, ...marks.map(theme.yellow)].join(' ');
}

function bareState({ state, done, wanted, blockedBy, daemon }: StateParts, theme: Theme): string {
  if (blockedBy.length > 0) return theme.yellow('blocked');
  if (done) return theme.green('done');
  if (state === 'ready' || state === 'running')
    return theme.green(daemon ? `${state} (daemon)` : state);
  if (state === 'failed' || state === 'unhealthy') return theme.red(state);
  return wanted && state !== 'stopped' ? theme.yellow(state) : state;
}
