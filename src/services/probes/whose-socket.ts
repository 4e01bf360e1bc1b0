import type { Listener } from '../../processes/ports.ts';

/** The process that holds a listening socket, as far as this user may look. */
export type SocketHolder =
  /** A process of this project; `service` is null where no evidence names one. */
  | { readonly kind: 'ours'; readonly service: string | null }
  /** `description`: "node server.js (pid 4711)". */
  | { readonly kind: 'stranger'; readonly description: string }
  /** Nobody may look at it: another user's process, or a process in another PID namespace. */
  | { readonly kind: 'unseen'; readonly description: string };

/** A listening TCP socket and its holder. */
export interface HeldSocket extends Pick<Listener, 'port' | 'address'> {
  /** Names the socket for as long as it listens. */
  readonly key: string;
  readonly holder: SocketHolder;
}

/** The service for which a socket is to count. */
export interface SocketTerms {
  readonly service: string;
  /** 'service': only a process of this service counts. 'project': one of any service of the project does. */
  readonly scope: 'service' | 'project';
  /** Keys of the sockets that listened already before the spawn. */
  readonly before: ReadonlySet<string>;
}

/** Whether a socket counts for a service; else why not. */
export type SocketVerdict = 'counts' | { readonly why: string };

/**
 * Decides whether a listening socket counts for a service.
 *
 * A socket whose holder nobody may look at counts only if it has appeared since the spawn: a proxy of a container engine
 * belongs to another user, and so does a server that gives up its rights. A socket that was there before is a stranger's,
 * whether its holder can be seen or not.
 */
export function judgeSocket(
  { key, port, holder }: HeldSocket,
  { service, scope, before }: SocketTerms,
): SocketVerdict {
  const heldBy = (whom: string): SocketVerdict => ({ why: `port ${port} is held by ${whom}` });
  if (holder.kind === 'ours') {
    if (scope === 'project' || holder.service === service) return 'counts';
    const other = holder.service === null ? 'no known service' : `service ${holder.service}`;
    return heldBy(`a process of this project, of ${other}`);
  }
  if (holder.kind === 'stranger') {
    return heldBy(`${holder.description}, which is not of this project`);
  }
  if (!before.has(key)) return 'counts';
  return heldBy(`${holder.description}, which was there before ${service} was started`);
}

/** Says why a service does not listen on all of these ports; null: it does. */
export function whyNotListening(
  ports: readonly number[],
  sockets: readonly HeldSocket[],
  terms: SocketTerms,
): string | null {
  const whys = ports.flatMap((port) => {
    const onPort = sockets.filter((socket) => socket.port === port);
    const counting = onPort.filter((socket) => judgeSocket(socket, terms) === 'counts');
    // With SO_REUSEPORT two listen on one address, and each gets a part of the connections (socket(7)).
    const shares = ({ address, holder }: HeldSocket): boolean =>
      holder.kind === 'stranger' && counting.some((one) => one.address === address);
    const others = onPort.filter((socket) => counting.length === 0 || shares(socket));
    if (counting.length > 0 && others.length === 0) return [];
    const [first] = others.map((socket) => judgeSocket(socket, terms));
    return typeof first === 'object' ? [first.why] : [`port ${port} is not listened on`];
  });
  return whys.length === 0 ? null : whys.join(', ');
}

/**
 * Picks the sockets to which the kernel may have led a connection to this address: those with the address itself, else
 * those that listen on every address (ip(7), ipv6(7)).
 */
export function socketsBehind(
  sockets: readonly HeldSocket[],
  address: string,
  port: number,
): readonly HeldSocket[] {
  const on = (...addresses: readonly string[]) =>
    sockets.filter((one) => one.port === port && addresses.includes(one.address));
  const plain = address.replace(/^::ffff:/, '');
  const exact = on(plain);
  if (exact.length > 0) return exact;
  // lsof writes "*" for every address.
  const everyV4 = plain.includes(':') ? [] : on('0.0.0.0');
  return everyV4.length > 0 ? everyV4 : on('::', '*');
}

/** True for an address that leads back to this machine. */
export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}

/**
 * Programs of container engines that listen for a container. Nobody can tell whose container it is, so they count as other
 * users' processes do, also for root. The kernel cuts names after 15 characters (proc_pid_comm(5)).
 */
export const ENGINE_PROXIES: ReadonlySet<string> = new Set([
  'docker-proxy',
  'com.docker.back',
  'rootlessport',
  'rootlesskit',
  'slirp4netns',
  'pasta',
  'gvproxy',
]);
