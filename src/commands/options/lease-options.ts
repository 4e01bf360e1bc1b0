import { DevctlError } from '../../errors.ts';
import type { LeaseStatus } from '../../leases/lease-status.ts';
import type { RequestedLease } from '../../operations/start/lease.ts';
import { formatDuration } from '../../output/terminal/durations.ts';
import { printable } from '../../output/terminal/width.ts';
import { durationOption } from './duration-option.ts';

export interface LeaseOptions {
  readonly ttl?: string;
  readonly whilePid?: readonly string[];
}

/**
 * Reads the options of a lease.
 *
 * @throws DevctlError 'usage'
 */
export function leaseWish({ ttl, whilePid = [] }: LeaseOptions): RequestedLease {
  const ttlMs = ttl === undefined ? null : durationOption('--ttl', ttl);
  if (ttlMs === 0) {
    throw new DevctlError('usage', '--ttl 0: that is over before anything runs', {
      hint: 'write 30m or 2h',
    });
  }
  return { ttlMs, pids: whilePid.map(toPid) };
}

function toPid(text: string): number {
  const pid = Number(text);
  if (/^\d+$/.test(text) && pid > 0 && Number.isSafeInteger(pid)) return pid;
  throw new DevctlError(
    'usage',
    `--while-pid ${JSON.stringify(text)}: not the number of a process`,
    {
      hint: 'give it a process that lives, such as your shell: --while-pid $$',
    },
  );
}

/**
 * Describes leases; null when there is none.
 * Example: "everything is stopped in 1 h 59 min, or when pid 4711 (node agent.js) has ended".
 */
export function leasesInWords(leases: readonly LeaseStatus[]): string | null {
  const [first, ...more] = leases.map(leaseInWords);
  if (first === undefined) return null;
  if (more.length === 0) return `everything is stopped ${first}`;
  return `everything is stopped with the last of ${leases.length} leases: ${[first, ...more].join('; ')}`;
}

function leaseInWords({ endsInMs, processes }: LeaseStatus): string {
  const which = processes.map(({ pid, command }) => `pid ${pid} (${printable(command)})`);
  const ended = `when ${which.join(' and ')} ${which.length === 1 ? 'has' : 'have'} ended`;
  return [
    ...(endsInMs === null ? [] : [`in ${formatDuration(endsInMs)}`]),
    ...(which.length === 0 ? [] : [ended]),
  ].join(', or ');
}
