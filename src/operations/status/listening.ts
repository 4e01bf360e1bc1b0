import {
  findOwnerPids,
  type Listener,
  listeners,
  type Port,
  portOf,
  splitPort,
} from '../../processes/ports.ts';
import { ENGINE_PROXIES } from '../../services/probes/whose-socket.ts';
import type { ProjectLook } from '../../tracking/look.ts';

/** A port of a service: one that it declares, or one that a process of it listens on. */
export interface ListeningPort {
  readonly port: number;
  /** `127.0.0.1`, `0.0.0.0`, `::`, …; null where nobody is seen to listen. */
  readonly address: string | null;
  readonly protocol: 'tcp' | 'udp';
  /** The name that the manifest gives it; null: none. */
  readonly name: string | null;
  readonly declared: boolean;
  /** True where somebody listens on it now. */
  readonly open: boolean;
}

/** The listening sockets of this machine, and the services whose processes hold them. */
export interface ListeningSockets {
  readonly all: readonly Listener[];
  readonly byService: ReadonlyMap<string, readonly Listener[]>;
  /** Those on the asked ports that a process holds which is not of the project. */
  readonly strangers: ReadonlySet<Listener>;
}

/** Beyond so many processes only declared ports are shown, because to search for others takes 0.1 ms for each. */
const MOST_SEARCHED = 200;

/**
 * Finds the sockets that the services of a project listen on.
 *
 * @returns null where nobody can tell (no lsof, elsewhere than on Linux)
 */
export async function listeningSockets({
  claims,
  snapshot,
  state,
}: ProjectLook): Promise<ListeningSockets | null> {
  if (claims.length === 0) return { all: [], byService: new Map(), strangers: new Set() };
  const hasUdp = state.records.some(({ udpPorts = [] }) => udpPorts.length > 0);
  const protocols = hasUdp ? (['tcp', 'udp'] as const) : (['tcp'] as const);
  const lists = await Promise.all(protocols.map(listeners)).catch(() => null);
  if (lists === null) return null;
  const all = lists.flat();
  const services = new Map(claims.map(({ process, service }) => [process.identity.pid, service]));
  const inodes = new Set(all.flatMap(({ inode }) => inode ?? []));
  const searched = services.size > MOST_SEARCHED ? [] : services.keys();
  const owners = findOwnerPids(inodes, searched);
  const byService = new Map<string, Listener[]>();
  for (const one of all) {
    const service = services.get(one.pid ?? owners.get(one.inode ?? -1) ?? -1);
    if (service) byService.set(service, [...(byService.get(service) ?? []), one]);
  }
  const relied = new Set(state.records.flatMap(({ readyPorts = [] }) => readyPorts));
  const ours = new Set([...byService.values()].flat());
  const others = all.filter(
    (one) => one.protocol === 'tcp' && relied.has(one.port) && !ours.has(one),
  );
  return { all, byService, strangers: strangersAmong(others, services, snapshot) };
}

/** Picks the sockets of processes that are not ours, and of no container engine. */
function strangersAmong(
  sockets: readonly Listener[],
  services: ReadonlyMap<number, string | null>,
  snapshot: ProjectLook['snapshot'],
): ReadonlySet<Listener> {
  if (sockets.length === 0) return new Set();
  const inodes = new Set(sockets.flatMap(({ inode }) => inode ?? []));
  const owners = findOwnerPids(inodes, snapshot.byPid.keys());
  return new Set(
    sockets.filter(({ pid, inode }) => {
      const owner = snapshot.byPid.get(pid ?? owners.get(inode ?? -1) ?? -1);
      return owner && !services.has(owner.identity.pid) && !ENGINE_PROXIES.has(owner.name);
    }),
  );
}

/**
 * Lists the ports of a service: those that it declares first, in their order, then the others that it listens on. Of UDP
 * only those that it declares, because each name that it looks up takes another port for a moment.
 *
 * @param declared by port, the name that the manifest gives it
 */
export function portsOf(
  service: string,
  declared: ReadonlyMap<Port, string | null>,
  { all, byService }: ListeningSockets,
): readonly ListeningPort[] {
  const own = byService.get(service) ?? [];
  const describe = (port: Port, sockets: readonly Listener[]): ListeningPort => ({
    ...splitPort(port),
    address: sockets[0]?.address ?? null,
    name: declared.get(port) ?? null,
    declared: declared.has(port),
    open: sockets.length > 0,
  });
  const on = (sockets: readonly Listener[], port: Port) =>
    // The most open address says most.
    sockets
      .filter((one) => portOf(one) === port)
      .toSorted((one, other) => Number(isWide(other.address)) - Number(isWide(one.address)));
  const others = new Set(
    own.flatMap(({ port, protocol }) => (protocol === 'udp' || declared.has(port) ? [] : port)),
  );
  return [
    ...[...declared.keys()].map((port) => {
      const ours = on(own, port);
      return describe(port, ours.length > 0 ? ours : on(all, port));
    }),
    ...[...others]
      .toSorted((one, other) => one - other)
      .map((port) => describe(port, on(own, port))),
  ];
}

/** True for an address that other machines can reach, as far as this machine can tell. */
export function isWide(address: string): boolean {
  return !/^(127\.|::1$|::ffff:127\.)/.test(address);
}
