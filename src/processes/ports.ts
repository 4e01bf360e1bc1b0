import { DevctlError } from '../errors.ts';
import { parseListeningSockets } from './linux/sockets.ts';
import { parseLsof } from './portable/ps-output.ts';
import { listProcFolder, readProcFile, readProcLink } from './proc-file.ts';
import type { ProcessInfo, Snapshot } from './snapshot.ts';
import { runTool } from './system-tool.ts';

/** A TCP socket that accepts connections. */
export interface Listener {
  readonly port: number;
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
  readonly port: number;
  readonly process: ProcessInfo;
}

/** The holder of a port. `process` is null for another user's process that we may not look at. */
export interface PortHolder {
  readonly port: number;
  readonly process: ProcessInfo | null;
  readonly uid: number | null;
}

/**
 * Lists the TCP sockets of every user that listen in our network namespace.
 *
 * @param ports  only these; all when left out
 * @throws DevctlError 'tool-missing' elsewhere than on Linux, where only lsof can tell
 */
export async function listeners(ports?: readonly number[]): Promise<readonly Listener[]> {
  const all = await readListeners();
  return ports ? all.filter(({ port }) => ports.includes(port)) : all;
}

/**
 * Finds the holders of these ports: one entry for each listening socket, none for a free port.
 * Where several processes share a socket (a server and its forks), the entry names the first one found.
 *
 * @param likely  processes to search first: our own take 0.1 ms, all processes 30 ms
 */
export async function findPortHolders(
  ports: readonly number[],
  snapshot: Snapshot,
  likely: Iterable<ProcessInfo> = [],
): Promise<readonly PortHolder[]> {
  if (ports.length === 0) return [];
  const found = await listeners(ports);
  const wanted = new Set(found.flatMap(({ inode }) => inode ?? []));
  const owners = findOwners(wanted, [...likely, ...snapshot.byPid.values()]);
  return found.map(({ port, uid, inode, pid }) => {
    const owner = pid === null ? owners.get(inode ?? 0) : snapshot.byPid.get(pid);
    return { port, process: owner ?? null, uid };
  });
}

/**
 * Finds every process that has the socket of one of these ports open, as far as we may look.
 *
 * @param matters  true for a process whose descriptors are to be read; those of all processes take 30 ms and more
 * @returns nothing where no tool can tell (no lsof, elsewhere than on Linux)
 */
export async function findSocketOwners(
  ports: readonly number[],
  snapshot: Snapshot,
  matters: (process: ProcessInfo) => boolean = () => true,
): Promise<readonly SocketOwner[]> {
  if (ports.length === 0) return [];
  const found = await listeners(ports).catch((error: unknown) => {
    if (error instanceof DevctlError) return [];
    throw error;
  });
  const byInode = new Map<string, number>(
    found.flatMap(({ inode, port }) =>
      inode === null ? [] : [[`socket:[${inode}]`, port] as const],
    ),
  );
  const named = found.flatMap(({ pid, port }) => {
    const process = pid === null ? undefined : snapshot.byPid.get(pid);
    return process ? [{ port, process }] : [];
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

async function readListeners(): Promise<readonly Listener[]> {
  const portable = process.platform !== 'linux' || process.env.DEVCTL_PROCESS_TABLE === 'portable';
  const asked = portable ? await readLsofListeners() : null;
  if (asked !== null) return asked;
  if (process.platform === 'linux') return readLinuxListeners();
  throw new DevctlError('tool-missing', 'lsof is not installed, so nobody can tell who listens', {
    hint: 'install lsof',
  });
}

function readLinuxListeners(): readonly Listener[] {
  const files = ['/proc/net/tcp', '/proc/net/tcp6'];
  return files
    .flatMap((file) => parseListeningSockets(readProcFile(file) ?? ''))
    .map((socket) => ({ ...socket, pid: null }));
}

async function readLsofListeners(): Promise<readonly Listener[] | null> {
  const answer = await runTool('lsof', ['-w', '-nP', '-iTCP', '-sTCP:LISTEN', '-F', 'pufn']);
  if (answer === null) return null;
  return parseLsof(answer.stdout).flatMap(({ pid, uid, name }) => {
    const found = /^(.*):(\d+)(?: \(LISTEN\))?$/.exec(name);
    if (!found) return [];
    const address = (found[1] ?? '').replace(/^\[(.*)\]$/, '$1');
    return { port: Number(found[2]), address, uid, inode: null, pid };
  });
}
