import type { ProbeCheck, ResolvedService } from '../../manifest/resolved.ts';
import { isLoopback } from './whose-socket.ts';

/** Returns the ports on this machine that the probes of a service ask, unless anybody may answer on them. */
export function probedPorts({
  ready,
  live,
}: Pick<ResolvedService, 'ready' | 'live'>): readonly number[] {
  const checks = [ready?.check, live?.check].flatMap((check) => check ?? []);
  return [...new Set(checks.flatMap(portsOf))];
}

/** Returns the Unix sockets that the probes of a service ask, unless anybody may answer on them. */
export function probedSockets({
  ready,
  live,
}: Pick<ResolvedService, 'ready' | 'live'>): readonly string[] {
  return [ready?.check, live?.check].flatMap((check) => {
    if (check?.kind === 'tcp' && check.owner !== 'any' && check.target.kind === 'socket')
      return [check.target.path];
    if (check?.kind === 'http' && check.owner !== 'any') return check.socketPath ?? [];
    return [];
  });
}

function portsOf(check: ProbeCheck): readonly number[] {
  if (check.kind === 'ports') return check.ports;
  if (check.kind === 'tcp') {
    const { target, owner } = check;
    if (owner === 'any' || target.kind === 'socket') return [];
    return isThisMachine(target.host) ? [target.port] : [];
  }
  if (check.kind !== 'http' || check.owner === 'any' || check.socketPath !== null) return [];
  const { protocol, hostname, port } = new URL(check.url);
  if (!isThisMachine(hostname.replace(/^\[|\]$/g, ''))) return [];
  return [Number(port) || (protocol === 'https:' ? 443 : 80)];
}

function isThisMachine(host: string): boolean {
  const name = host.toLowerCase();
  const isName = name === 'localhost' || name.endsWith('.localhost');
  return isName || name === '0.0.0.0' || name === '::' || isLoopback(name);
}
