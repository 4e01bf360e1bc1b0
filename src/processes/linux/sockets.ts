/** A socket that waits for others, as /proc/net/tcp, tcp6, udp and udp6 list it. */
export interface SocketLine {
  readonly port: number;
  /** `127.0.0.1`, `0.0.0.0`, `::1`, … */
  readonly address: string;
  /** The user who created the socket. It is known even where the process is not. */
  readonly uid: number;
  readonly inode: number;
}

/**
 * The `st` column of a socket that waits for others: TCP_LISTEN, and for UDP TCP_CLOSE, which says that it is not
 * connected (the kernel's include/net/tcp_states.h).
 */
const WAITS = { tcp: '0A', udp: '07' } as const;

/** Parses /proc/net/tcp, tcp6, udp or udp6 (proc_pid_net(5)), without the header and sockets in other states. */
export function parseListeningSockets(text: string, protocol: keyof typeof WAITS): SocketLine[] {
  return text.split('\n').flatMap((line) => {
    const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/);
    const [address, port] = local?.split(':') ?? [];
    if (state !== WAITS[protocol] || !address || !port || !inode) return [];
    return {
      port: Number.parseInt(port, 16),
      address: readAddress(address),
      uid: Number(uid),
      inode: Number(inode),
    };
  });
}

/** Reads an address, of which the kernel prints each 32-bit word in the byte order of the machine: little-endian. */
function readAddress(hex: string): string {
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let byte = 6; byte >= 0; byte -= 2) {
      bytes.push(Number.parseInt(hex.slice(word + byte, word + byte + 2), 16));
    }
  }
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let index = 0; index < bytes.length; index += 2) {
    groups.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  }
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') return bytes.slice(12).join('.');
  // The URL parser writes an IPv6 address in its canonical short form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** A Unix socket that waits for connections, as /proc/net/unix lists it. */
export interface UnixSocketLine {
  /** As it was bound: relative where the program gave it so. */
  readonly path: string;
  readonly inode: number;
}

/** __SO_ACCEPTCON of the kernel's include/uapi/linux/net.h: listen(2) was called. */
const ACCEPTS = 0x1_0000;

/** Parses /proc/net/unix (proc_pid_net(5)): the sockets with a path that wait for connections. */
export function parseListeningUnixSockets(text: string): UnixSocketLine[] {
  return text.split('\n').flatMap((line) => {
    const fields = /^\S+ \S+ \S+ ([0-9A-F]+) \S+ \S+ +(\d+) (\/.*)$/.exec(line.trim());
    const [, flags = '', inode = '', path = ''] = fields ?? [];
    if ((Number.parseInt(flags, 16) & ACCEPTS) === 0) return [];
    return [{ path, inode: Number(inode) }];
  });
}
