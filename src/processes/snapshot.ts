import { type Identity, sameIdentity } from './identity.ts';

/** One row of the process table, as plain data: safe to store, to compare and to generate in tests. */
export interface ProcessInfo {
  readonly identity: Identity;
  readonly ppid: number;
  /** `UNKNOWN_GROUP` where the platform cannot tell. */
  readonly pgid: number;
  /** Session id; 0 where the platform cannot tell (macOS `ps` prints a kernel pointer). */
  readonly sid: number;
  /** State letter of proc_pid_stat(5): R S D T t Z X … */
  readonly state: string;
  /** Number of threads. A process in state Z with more than one still runs. */
  readonly threads: number;
  readonly kernelThread: boolean;
  readonly rssBytes: number;
  /** User plus system time in clock ticks (1/100 s). */
  readonly cpuTicks: number;
  /** The same of the children that the process has waited for, and of their children; missing where not known. */
  readonly childTicks?: number;
  /** The kernel's name of the process (comm, at most 15 bytes). May hold any character. */
  readonly name: string;
}

/** The group of a process where `ps` tells no groups. No process group has this number. */
export const UNKNOWN_GROUP = 0;

/** An open file descriptor, as far as it can serve as evidence. */
export interface OpenFile {
  readonly fd: number;
  /** The target of the link /proc/PID/fd/N: a path, `socket:[123]`, `pipe:[456]` … */
  readonly target: string;
  /** Both are true for /dev/null, sockets and pipes, where nobody asks. */
  readonly readable: boolean;
  readonly writable: boolean;
  /** True where every write goes to the end (O_APPEND, open(2)); null where that is not known. */
  readonly appends: boolean | null;
}

/**
 * The facts that cost a system call or more for each process. Each is read when it is first asked for, and kept for the
 * life of the snapshot. An answer is null where the process is gone or where we may not look.
 */
export interface ProcessDetails {
  uid(process: ProcessInfo): number | null;
  /** The arguments; an empty list for a zombie or a kernel thread. */
  argv(process: ProcessInfo): readonly string[] | null;
  /** Absolute path; ' (deleted)' is stripped. */
  cwd(process: ProcessInfo): string | null;
  /**
   * The environment block as the process was started with it: `NAME=value` entries, each ended by
   * NUL, decoded as latin1. It is empty while the process is inside execve.
   */
  environ(process: ProcessInfo): string | null;
  openFiles(process: ProcessInfo): readonly OpenFile[] | null;
  /** Path of its control group in the cgroup v2 hierarchy, as /proc/PID/cgroup has it (cgroups(7)). */
  controlGroup(process: ProcessInfo): string | null;
  /**
   * The id of the container of a container engine that the process is in, where that is not ours too. Missing where the
   * platform cannot tell.
   */
  container?(process: ProcessInfo): string | null;
}

/** The process table at one moment. */
export interface Snapshot {
  /** Monotonic ms at which the read began. */
  readonly takenAtMs: number;
  /** The same moment in the unit of `Identity.startTicks`. */
  readonly nowTicks: number;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly byPid: ReadonlyMap<number, ProcessInfo>;
  readonly byParent: ReadonlyMap<number, readonly ProcessInfo[]>;
  readonly byGroup: ReadonlyMap<number, readonly ProcessInfo[]>;
  readonly bySession: ReadonlyMap<number, readonly ProcessInfo[]>;
  readonly details: ProcessDetails;
}

/** Indexes the rows of one read. Zombies stay in, because the reaper needs them; decisions use `isGone`. */
export function indexSnapshot(
  moment: Pick<Snapshot, 'takenAtMs' | 'nowTicks' | 'bootId' | 'pidNamespace' | 'details'>,
  processes: readonly ProcessInfo[],
): Snapshot {
  const byPid = new Map<number, ProcessInfo>();
  const byParent = new Map<number, ProcessInfo[]>();
  const byGroup = new Map<number, ProcessInfo[]>();
  const bySession = new Map<number, ProcessInfo[]>();
  for (const process of processes) {
    byPid.set(process.identity.pid, process);
    push(byParent, process.ppid, process);
    push(byGroup, process.pgid, process);
    push(bySession, process.sid, process);
  }
  return { ...moment, byPid, byParent, byGroup, bySession };
}

function push<Key>(index: Map<Key, ProcessInfo[]>, key: Key, process: ProcessInfo): void {
  const list = index.get(key);
  if (list) list.push(process);
  else index.set(key, [process]);
}

/**
 * Tells whether a process is only an entry that waits to be reaped.
 *
 * A zombie holds no memory, port or file and cannot be killed. A process in state Z with more than one thread is alive:
 * its first thread called pthread_exit, and the others run on (proc_pid_stat(5)).
 */
export function isGone(process: ProcessInfo): boolean {
  return (process.state === 'Z' && process.threads <= 1) || process.state === 'X';
}

/** Tells whether the process that an identity names still lives, rather than a stranger with its number. */
export function livesIn(snapshot: Pick<Snapshot, 'byPid'>, identity: Identity): boolean {
  const found = snapshot.byPid.get(identity.pid);
  return found !== undefined && sameIdentity(found.identity, identity) && !isGone(found);
}
