import { existsSync } from 'node:fs';
import { DevctlError } from '../errors.ts';
import { parseListeningSockets, parseListeningUnixSockets } from './linux/sockets.ts';
import { parseLsof } from './portable/ps-output.ts';
import { listProcFolder, readProcFile, readProcLink } from './proc-file.ts';
import type { ProcessInfo, Snapshot } from './snapshot.ts';
import { runTool } from './system-tool.ts';

/** A port as the manifest writes it: `4000` is of TCP, `"8125/udp"` of UDP. */
export type Port = number | `${number}/udp`;

/** The ports that a service declares. */
export interface DeclaredPorts {
  readonly ports: readonly number[];
  /** Its ports of UDP. Missing: none. */
  readonly udpPorts?: readonly number[];
}

/** A TCP socket that accepts connections, or a UDP socket that takes datagrams from anybody. */
export interface Listener {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** `127.0.0.1`, `0.0.0.0`, `::` … ; `*` from lsof. */
  readonly address: string;
  /** The user who opened the socket; null where the platform does not say. */
  readonly uid: number | null;
  /** Names the socket in /proc/PID/fd; null from lsof. */
  readonly inode: number | null;
  /** The owner, where the list of sockets has it (lsof); null where descriptors must be searched. */
  readonly pid: number | null;
}

/** A process that holds a listening socket: a server, or a fork that shares it. */
export interface SocketOwner {
  readonly port: Port;
  readonly process: ProcessInfo;
}

/** The holder of a port. `process` is null for another user's process that we may not look at. */
export interface PortHolder {
  readonly port: Port;
  readonly process: ProcessInfo | null;
  readonly uid: number | null;
}

/** Reads a port as the manifest writes it; null for anything else. */
export function parsePort(value: unknown): Port | null {
  const udp = typeof value === 'string' ? /^([1-9]\d*)\/udp$/.exec(value)?.[1] : undefined;
  const port = udp === undefined ? value : Number(udp);
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return udp === undefined ? port : `${port}/udp`;
}

/** Takes a port apart. */
export function splitPort(port: Port): Pick<Listener, 'port' | 'protocol'> {
  if (typeof port === 'number') return { port, protocol: 'tcp' };
  return { port: Number(port.replace('/udp', '')), protocol: 'udp' };
}

/** Sorts ports by their protocol. */
export function byProtocol(ports: readonly Port[]): Required<DeclaredPorts> {
  const all = [...new Set(ports)].map(splitPort);
  const of = (wanted: Listener['protocol']) =>
    all.filter(({ protocol }) => protocol === wanted).map(({ port }) => port);
  return { ports: of('tcp'), udpPorts: of('udp') };
}

/** Lists the ports that a service declares, those of TCP first. */
export function allPorts({ ports, udpPorts = [] }: DeclaredPorts): readonly Port[] {
  return [...ports, ...udpPorts.map((port) => `${port}/udp` as const)];
}

/** Says on which port a socket is, as the manifest writes it. */
export function portOf({ port, protocol }: Pick<Listener, 'port' | 'protocol'>): Port {
  return protocol === 'udp' ? `${port}/udp` : port;
}

/**
 * Lists the sockets of every user that listen in our network namespace.
 *
 * @throws DevctlError 'tool-missing' elsewhere than on Linux, where only lsof can tell
 */
export async function listeners(
  protocol: Listener['protocol'] = 'tcp',
): Promise<readonly Listener[]> {
  const portable = process.platform !== 'linux' || process.env.DEVCTL_PROCESS_TABLE === 'portable';
  const asked = portable ? await readLsofListeners(protocol) : null;
  if (asked !== null) return asked;
  if (process.platform === 'linux') return readLinuxListeners(protocol);
  throw new DevctlError('tool-missing', 'lsof is not installed, so nobody can tell who listens', {
    hint: 'install lsof',
  });
}

/** Lists the sockets on these ports. A protocol of which there is no port is not asked for. */
async function listenersOn(ports: readonly Port[]): Promise<readonly Listener[]> {
  const { ports: tcp, udpPorts } = byProtocol(ports);
  const found = [
    ...(tcp.length > 0 ? await listeners('tcp') : []),
    ...(udpPorts.length > 0 ? await listeners('udp') : []),
  ];
  return found.filter((one) => ports.includes(portOf(one)));
}

/**
 * Finds the holders of these ports: one entry for each listening socket, none for a free port.
 * Where several processes share a socket (a server and its forks), the entry names the first one found.
 *
 * @param likely  processes to search first: our own take 0.1 ms, all processes 30 ms
 */
export async function findPortHolders(
  ports: readonly Port[],
  snapshot: Snapshot,
  likely: Iterable<ProcessInfo> = [],
): Promise<readonly PortHolder[]> {
  if (ports.length === 0) return [];
  const found = await listenersOn(ports);
  const wanted = new Set(found.flatMap(({ inode }) => inode ?? []));
  const owners = findOwners(wanted, [...likely, ...snapshot.byPid.values()]);
  return found.map((socket) => {
    const { uid, inode, pid } = socket;
    const owner = pid === null ? owners.get(inode ?? 0) : snapshot.byPid.get(pid);
    return { port: portOf(socket), process: owner ?? null, uid };
  });
}

/**
 * Finds every process that has the socket of one of these ports open, as far as we may look.
 *
 * @param matters  true for a process whose descriptors are to be read; those of all processes take 30 ms and more
 * @returns nothing where no tool can tell (no lsof, elsewhere than on Linux)
 */
export async function findSocketOwners(
  ports: readonly Port[],
  snapshot: Snapshot,
  matters: (process: ProcessInfo) => boolean = () => true,
): Promise<readonly SocketOwner[]> {
  if (ports.length === 0) return [];
  const found = await listenersOn(ports).catch((error: unknown) => {
    if (error instanceof DevctlError) return [];
    throw error;
  });
  const byInode = new Map<string, Port>(
    found.flatMap((socket) =>
      socket.inode === null ? [] : [[`socket:[${socket.inode}]`, portOf(socket)] as const],
    ),
  );
  const named = found.flatMap((socket) => {
    const process = socket.pid === null ? undefined : snapshot.byPid.get(socket.pid);
    return process ? [{ port: portOf(socket), process }] : [];
  });
  if (byInode.size === 0) return named;
  const searched = [...snapshot.byPid.values()].flatMap((process) => {
    const isRead = !process.kernelThread && matters(process);
    const files = isRead ? (snapshot.details.openFiles(process) ?? []) : [];
    const held = new Set(files.flatMap(({ target }) => byInode.get(target) ?? []));
    return [...held].map((port) => ({ port, process }));
  });
  return [...named, ...searched];
}

function findOwners(
  inodes: ReadonlySet<number>,
  processes: Iterable<ProcessInfo>,
): ReadonlyMap<number, ProcessInfo> {
  const byPid = new Map([...processes].map((process) => [process.identity.pid, process]));
  const owners = findOwnerPids(inodes, byPid.keys());
  return new Map(
    [...owners].flatMap(([inode, pid]) => {
      const process = byPid.get(pid);
      return process ? [[inode, process] as const] : [];
    }),
  );
}

/**
 * Finds the first of these processes that has each socket open, as far as we may look (proc_pid_fd(5)).
 *
 * @param inodes see `Listener.inode`
 */
export function findOwnerPids(
  inodes: ReadonlySet<number>,
  pids: Iterable<number>,
): ReadonlyMap<number, number> {
  const owners = new Map<number, number>();
  for (const pid of pids) {
    if (owners.size === inodes.size) break;
    const folder = `/proc/${pid}/fd`;
    for (const fd of listProcFolder(folder) ?? []) {
      const inode = Number(/^socket:\[(\d+)\]$/.exec(readProcLink(`${folder}/${fd}`) ?? '')?.[1]);
      if (inodes.has(inode) && !owners.has(inode)) owners.set(inode, pid);
    }
  }
  return owners;
}

/** Finds the processes that listen on the Unix socket at a path; none where nobody can tell, and elsewhere than on Linux. */
export function findUnixListeners(path: string, { byPid }: Snapshot): readonly ProcessInfo[] {
  if (process.platform !== 'linux' || !existsSync(path)) return [];
  const sockets = parseListeningUnixSockets(readProcFile('/proc/net/unix') ?? '');
  const inodes = new Set(sockets.filter((one) => one.path === path).map(({ inode }) => inode));
  if (inodes.size === 0) return [];
  return [...findOwnerPids(inodes, byPid.keys()).values()].flatMap((pid) => byPid.get(pid) ?? []);
}

function readLinuxListeners(protocol: Listener['protocol']): readonly Listener[] {
  const files = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
  return files
    .flatMap((file) => parseListeningSockets(readProcFile(file) ?? '', protocol))
    .map((socket) => ({ ...socket, protocol, pid: null }));
}

async function readLsofListeners(
  protocol: Listener['protocol'],
): Promise<readonly Listener[] | null> {
  const which = protocol === 'tcp' ? ['-iTCP', '-sTCP:LISTEN'] : ['-iUDP'];
  const answer = await runTool('lsof', ['-w', '-nP', ...which, '-F', 'pufn']);
  if (answer === null) return null;
  return parseLsof(answer.stdout).flatMap(({ pid, uid, name }) => {
    // A connected UDP socket is "127.0.0.1:40000->127.0.0.53:53".
    const found = /^((?!.*->).*):(\d+)(?: \(LISTEN\))?$/.exec(name);
    if (!found) return [];
    const address = (found[1] ?? '').replace(/^\[(.*)\]$/, '$1');
    return { port: Number(found[2]), protocol, address, uid, inode: null, pid };
  });
}
