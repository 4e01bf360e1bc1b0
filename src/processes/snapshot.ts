import { type Identity, sameIdentity } from './identity.ts';

/** One row of the process table. Plain data: safe to store, to compare and to generate in tests. */
export interface ProcessInfo {
  readonly identity: Identity;
  readonly ppid: number;
  /** `UNKNOWN_GROUP` where the platform cannot tell. */
  readonly pgid: number;
  /** Session id; 0 where the platform cannot tell (macOS `ps` prints a kernel pointer). */
  readonly sid: number;
  /** State letter of proc_pid_stat(5): R S D T t Z X … */
  readonly state: string;
  /** Number of threads; a zombie leader (Z) with more than one still runs. */
  readonly threads: number;
  readonly kernelThread: boolean;
  readonly rssBytes: number;
  /** User plus system time in clock ticks (1/100 s). */
  readonly cpuTicks: number;
  /** The same of the children that it has waited for, and of theirs; missing where that is not known. */
  readonly childTicks?: number;
  /** The kernel's name of it (comm, at most 15 bytes). May hold any character. */
  readonly name: string;
}

/** The group of a process where `ps` tells no groups. No process group has this number. */
export const UNKNOWN_GROUP = 0;

/** An open file descriptor, as far as it can serve as evidence. */
export interface OpenFile {
  readonly fd: number;
  /** What /proc/PID/fd/N links to: a path, `socket:[123]`, `pipe:[456]` … */
  readonly target: string;
  /** Of /dev/null, terminals and what has no path (sockets, pipes) both are said to be true: nobody asks. */
  readonly readable: boolean;
  readonly writable: boolean;
  /** Does every write go to the end (O_APPEND, open(2))? Null where that is not known. */
  readonly appends: boolean | null;
}

/**
 * What costs a system call or more for each process, read when first asked for and kept for the
 * life of the snapshot. Every answer is null where the process is gone or does not let us look.
 */
export interface ProcessDetails {
  uid(process: ProcessInfo): number | null;
  /** The arguments; an empty list for a zombie or a kernel thread. */
  argv(process: ProcessInfo): readonly string[] | null;
  /** Absolute path; ' (deleted)' is stripped. */
  cwd(process: ProcessInfo): string | null;
  /**
   * The environment block as the process was started with it: `NAME=value` entries, each ended by
   * NUL, decoded as latin1. Empty while the process is inside execve.
   */
  environ(process: ProcessInfo): string | null;
  openFiles(process: ProcessInfo): readonly OpenFile[] | null;
  /** Path of its control group in the cgroup v2 hierarchy, as /proc/PID/cgroup has it (cgroups(7)). */
  controlGroup(process: ProcessInfo): string | null;
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

/** Indexes the rows of one read. Zombies stay in: the reaper needs them; decisions use `isGone`. */
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
 * Is there nothing left of it but an entry that waits to be reaped?
 *
 * A zombie holds no memory, port or file and cannot be killed. One with more threads than its
 * leader is alive: the leader called pthread_exit and the others run on (proc_pid_stat(5)).
 */
export function isGone(process: ProcessInfo): boolean {
  return (process.state === 'Z' && process.threads <= 1) || process.state === 'X';
}

/** Does the process that an identity names still live, rather than a stranger with its number? */
export function livesIn(snapshot: Pick<Snapshot, 'byPid'>, identity: Identity): boolean {
  const found = snapshot.byPid.get(identity.pid);
  return found !== undefined && sameIdentity(found.identity, identity) && !isGone(found);
}
