import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** The system calls that Node has no function for, reached through koffi (an optional dependency). */
export interface Native {
  readonly available: true;
  /**
   * Makes this process the parent of every orphan below it (PR_SET_CHILD_SUBREAPER, prctl(2)) and
   * reads the bit back.
   *
   * @returns whether the kernel confirms it
   */
  becomeSubreaper(): boolean;
  /**
   * Reaps this one child if it is dead: waitpid(2) with WNOHANG. Only for adopted children: one
   * that Node spawned is Node's to reap, and its 'exit' event would never come.
   *
   * @returns true when the zombie is gone; false when it still runs or is not our child
   * @throws RangeError for a pid that waitpid would take for "any child"
   */
  reap(pid: number): boolean;
  /**
   * Has this process any child at all, living or zombie? The kernel's own answer (ECHILD from waitid(2)
   * with WNOWAIT, which reaps nothing), so unlike a scan it cannot miss one that is just being born.
   */
  hasChildren(): boolean;
  /** Null where the kernel (before 5.3) or a seccomp filter refuses pidfds. */
  readonly pidfd: Pidfd | null;
  /**
   * Creates a FIFO, mkfifo(3).
   *
   * @throws Error with the errno name as `code`
   */
  mkfifo(path: string, mode: number): void;
}

/** Signals that reach one process and never the next owner of its number: pidfd_open(2). */
export interface Pidfd {
  /** A descriptor to be closed, or the errno name of the refusal. */
  open(pid: number): number | string;
  /** Null when the signal was sent, else the errno name. */
  send(fd: number, signal: NodeJS.Signals): string | null;
  close(fd: number): void;
}

export interface NativeUnavailable {
  readonly available: false;
  /** For `doctor` and for the report of a stop: what is missing, in one sentence. */
  readonly why: string;
}

const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const P_ALL = 0;
/** More than any platform's siginfo_t. */
const SIGINFO_BYTES = 256;
/** The same numbers on every architecture since 5.1, but for alpha and mips, which Node has not. */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const PIDFD_ARCHITECTURES = new Set([
  'x64',
  'arm64',
  'arm',
  'ia32',
  'riscv64',
  'ppc64',
  's390x',
  'loong64',
]);

let loaded: Promise<Native | NativeUnavailable> | undefined;

/**
 * Loads the native calls, once for the life of the process: 14 ms, so never before they are needed.
 * DEVCTL_NATIVE=off turns them off; so does DEVCTL_PROCESS_TABLE=portable, which plays a system
 * that has none of them.
 */
export function loadNative(): Promise<Native | NativeUnavailable> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Native | NativeUnavailable> {
  const why = whyNot();
  if (why !== null) return { available: false, why };
  try {
    const { default: koffi } = await import('koffi');
    return bind(koffi);
  } catch (error) {
    // Not installed, no build for this C library, or a libc without one of the functions.
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { available: false, why: `koffi does not load: ${reason}` };
  }
}

function whyNot(): string | null {
  if (process.platform !== 'linux') return 'subreapers and pidfds exist on Linux only';
  if (process.env.DEVCTL_NATIVE === 'off') return 'turned off by DEVCTL_NATIVE=off';
  if (process.env.DEVCTL_PROCESS_TABLE === 'portable') {
    return 'turned off by DEVCTL_PROCESS_TABLE=portable';
  }
  return null;
}

function bind(koffi: typeof import('koffi').default): Native {
  const libc = koffi.load(null);
  const prctl = libc.func(
    'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
  );
  const prctlGet = libc.func(
    'int prctl(int, _Out_ int *, unsigned long, unsigned long, unsigned long)',
  );
  const waitpid = libc.func('int waitpid(int, _Out_ int *, int)');
  const waitid = libc.func('int waitid(int, unsigned int, void *, int)');
  const makeFifo = libc.func('int mkfifo(const char *, unsigned int)');
  const errnoName = () => getSystemErrorName(-koffi.errno());
  return {
    available: true,
    becomeSubreaper() {
      prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
      const answer = [0];
      return prctlGet(PR_GET_CHILD_SUBREAPER, answer, 0, 0, 0) === 0 && answer[0] === 1;
    },
    reap(pid) {
      // 0 and negative numbers mean "any child" to waitpid, and steal the children of libuv.
      if (!Number.isInteger(pid) || pid <= 1) throw new RangeError(`cannot reap pid ${pid}`);
      return waitpid(pid, [0], WNOHANG) === pid;
    },
    hasChildren() {
      const info = Buffer.alloc(SIGINFO_BYTES);
      if (waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === 0) return true;
      // libuv has no name for this one, so getSystemErrorName has none either.
      return koffi.errno() !== constants.errno.ECHILD;
    },
    pidfd: bindPidfd(libc, errnoName),
    mkfifo(path, mode) {
      if (makeFifo(path, mode) === 0) return;
      const code = errnoName();
      throw Object.assign(new Error(`${code}: mkfifo ${path}`), { code });
    },
  };
}

function bindPidfd(libc: import('koffi').LibraryHandle, errnoName: () => string): Pidfd | null {
  if (!PIDFD_ARCHITECTURES.has(process.arch)) return null;
  const open = libc.func('long syscall(long, int, unsigned int)');
  const send = libc.func('long syscall(long, int, int, void *, unsigned int)');
  const close = libc.func('int close(int)');
  // A seccomp filter may refuse either call with EPERM, which must not be taken for "another
  // user's process": signal 0 to ourselves tells.
  const fd: number = open(SYS_PIDFD_OPEN, process.pid, 0);
  if (fd < 0) return null;
  const works = send(SYS_PIDFD_SEND_SIGNAL, fd, 0, null, 0) === 0;
  close(fd);
  if (!works) return null;
  return {
    open(pid) {
      const opened: number = open(SYS_PIDFD_OPEN, pid, 0);
      return opened >= 0 ? opened : errnoName();
    },
    send: (target, signal) =>
      send(SYS_PIDFD_SEND_SIGNAL, target, constants.signals[signal], null, 0) === 0
        ? null
        : errnoName(),
    close: (target) => void close(target),
  };
}
