/*
 * The files of this folder: system calls that Node has no function for, through koffi.
 *
 *   native     loads koffi and binds the calls
 *   pidfd      signals that cannot hit the next owner of a number
 *   end-watch  the end of processes that are no children of ours
 *   cut-file   frees the beginning of a file that others write to
 *   terminals  pseudo-terminals, and the settings of terminals
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { Capability } from '../capabilities.ts';
import { bindEndWatch, type EndWatch } from './end-watch.ts';
import { bindPidfd, type Pidfd } from './pidfd.ts';
import { bindTerminals, type Terminals } from './terminals.ts';

/** The system calls that Node has no function for, reached through koffi (an optional dependency). */
export interface Native {
  readonly available: true;
  /**
   * Makes this process the parent of every orphan below it (PR_SET_CHILD_SUBREAPER, prctl(2)) and
   * reads the bit back.
   *
   * @returns `held` when the kernel confirms it; a seccomp filter may refuse either call
   */
  becomeSubreaper(): Capability;
  /**
   * Reaps this one child if it is dead: waitpid(2) with WNOHANG. Only for adopted children: Node reaps
   * the children that it spawned, and their 'exit' event would never come.
   *
   * @returns true when the zombie is gone; false when the process still runs or is not our child
   * @throws RangeError for a pid that waitpid would take for "any child"
   */
  reap(pid: number): boolean;
  /**
   * Tells whether this process has any child at all, living or zombie. The kernel answers (ECHILD from waitid(2)
   * with WNOWAIT, which reaps nothing), so unlike a scan this cannot miss a child that is just being born.
   *
   * @returns null where the kernel did not answer: a seccomp filter refuses waitid
   */
  hasChildren(): boolean | null;
  /**
   * Names a dead child that nobody has reaped, without reaping it: waitid(2) with WNOWAIT. The kernel names the same
   * child until somebody reaps it. It reads no process table, so it takes the same time however many processes there
   * are.
   *
   * @returns 'refused' where the kernel does not answer, because a seccomp filter refuses waitid
   */
  deadChild(): number | 'none' | 'refused';
  /**
   * Replaces this process by another program: execve(2). It stays a subreaper (prctl(2)). It ignores signals from now
   * on, because a program inherits that (sigaction(2)); where SIGCHLD is among them, the kernel reaps its children.
   *
   * @param argv from argv[0] on
   * @param env entries `NAME=value`
   * @param ignored numbers of signals
   * @param files descriptors that the program gets. Node marks all of its own to be closed, the first three too
   * @returns the errno name, only where the kernel refuses
   */
  become(
    program: string,
    argv: readonly string[],
    env: readonly string[],
    ignored: readonly number[],
    files: readonly number[],
  ): string;
  /** Begins a session of our own, setsid(2). Changes nothing where this process leads one already. */
  beginSession(): void;
  /**
   * Frees a part of an open file: fallocate(2). `punch` leaves a hole, which reads as zeros. `collapse` removes
   * the part, so that the rest of the file moves to its place. Both take whole blocks only.
   *
   * @returns null when it is done, else the errno name
   */
  cutFile(fd: number, how: FileCut, offset: number, length: number): Promise<string | null>;
  /** Tells whether the other end of this pipe or socket is closed, so that nobody reads what we write: poll(2). */
  isReaderGone(fd: number): boolean;
  /** Null where the kernel (before 5.3) or a seccomp filter refuses pidfds. */
  readonly pidfd: Pidfd | null;
  /** Makes the watch when it is first asked for. Null without pidfds, and where Node does not export libuv. */
  readonly endWatch: () => EndWatch | null;
  /** The reason why `pidfd` is null; null when it is not. */
  readonly whyNoPidfd: string | null;
  /**
   * Makes our process group the foreground group of our terminal again: tcsetpgrp(3). SIGTTOU, which would
   * stop a group in the background, is ignored.
   *
   * @param fd an open file of the terminal
   */
  takeTerminal(fd: number): boolean;
  /**
   * Creates a FIFO, mkfifo(3).
   *
   * @throws Error with the errno name as `code`
   */
  mkfifo(path: string, mode: number): void;
  /** Binds the calls for terminals when it is first asked for, because few projects need them. */
  readonly terminals: () => Terminals;
  /** Gives freed memory back to the system: malloc_trim(3). A C library without that call (musl) keeps none. */
  trimMemory(): void;
}

export type FileCut = 'punch' | 'collapse';

export interface NativeUnavailable {
  readonly available: false;
  /** The missing part in one sentence, for `doctor` and for the report of a stop. */
  readonly why: string;
}

const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const P_ALL = 0;
const SIG_IGN = 1;
const F_SETFD = 2;

/** FALLOC_FL_PUNCH_HOLE goes with FALLOC_FL_KEEP_SIZE. */
const CUT_MODE: Readonly<Record<FileCut, number>> = { punch: 2 | 1, collapse: 8 };
const POLLERR = 8;
const POLLHUP = 16;

/** Room for any platform's siginfo_t, in 32-bit words. */
const SIGINFO_WORDS = 64;

/** The place of `si_pid` in it, in words: behind three numbers, and behind a gap where a pointer has 64 bits. */
const SI_PID = ['arm', 'ia32'].includes(process.arch) ? 3 : 4;

/** The major version of koffi for which this code is written. Another one may mean something else by the same names. */
const KOFFI_MAJOR = '3';

/** Longest time to load koffi from a cold disk. Without a limit, a module that never settles would end devctl silently. */
const LOAD_MS = 3_000;

let loaded: Promise<Native | NativeUnavailable> | undefined;

/**
 * Loads the native calls, once for the life of the process. That takes 14 ms, so call it only when they are needed.
 * DEVCTL_NATIVE=off turns them off, and so does DEVCTL_PROCESS_TABLE=portable, for tests of systems
 * that have none of them.
 */
export function loadNative(): Promise<Native | NativeUnavailable> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Native | NativeUnavailable> {
  const why = whyNoNative();
  if (why !== null) return { available: false, why };
  try {
    const { default: koffi } = await withinTime(import('koffi'));
    const version = String(koffi.version);
    if (version.split('.')[0] !== KOFFI_MAJOR) {
      return { available: false, why: `koffi ${version} is not supported, only ${KOFFI_MAJOR}.x` };
    }
    return bind(koffi);
  } catch (error) {
    // Not installed, no build for this C library, or a libc without one of the functions.
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { available: false, why: `koffi does not load: ${reason}` };
  }
}

function withinTime<Module>(loading: Promise<Module>): Promise<Module> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`it has not answered within ${LOAD_MS / 1_000} s`));
    const timer = setTimeout(late, LOAD_MS);
    loading.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Tells why the native calls are not even tried; null where they are. */
export function whyNoNative(): string | null {
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
  const setSignal = libc.func('intptr_t signal(int, intptr_t)');
  const execve = libc.func('int execve(const char *, const char **, const char **)');
  const fcntl = libc.func('int fcntl(int, int, int)');
  const tcsetpgrp = libc.func('int tcsetpgrp(int, int)');
  const setsid = libc.func('int setsid()');
  const getpgrp = libc.func('int getpgrp()');
  const makeFifo = libc.func('int mkfifo(const char *, unsigned int)');
  const fallocate = bindFallocate(libc);
  const mallocTrim = bindMallocTrim(libc);
  const poll = libc.func('int poll(void *, unsigned long, int)');
  const errnoName = () => getSystemErrorName(-koffi.errno());
  const pidfds = bindPidfd(libc, errnoName);
  const info = new Int32Array(SIGINFO_WORDS);
  let endWatch: { readonly is: EndWatch | null } | null = null;
  let terminals: Terminals | null = null;
  const refused = (call: string): Capability => ({ held: false, why: `${call}: ${errnoName()}` });
  return {
    available: true,
    becomeSubreaper() {
      if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) return refused('prctl');
      const answer = [0];
      if (prctlGet(PR_GET_CHILD_SUBREAPER, answer, 0, 0, 0) !== 0) return refused('prctl');
      // gVisor and some emulators accept the call and do nothing.
      const why = answer[0] === 1 ? null : 'prctl: the kernel did not keep PR_SET_CHILD_SUBREAPER';
      return { held: why === null, why };
    },
    reap(pid) {
      // 0 and negative numbers mean "any child" to waitpid, which would steal the children of libuv.
      if (!Number.isInteger(pid) || pid <= 1) throw new RangeError(`cannot reap pid ${pid}`);
      return waitpid(pid, [0], WNOHANG) === pid;
    },
    hasChildren() {
      if (waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === 0) return true;
      // Any other errno (EPERM and ENOSYS of a seccomp filter) says nothing about children. libuv has no
      // name for ECHILD, so getSystemErrorName has none either.
      return koffi.errno() === constants.errno.ECHILD ? false : null;
    },
    deadChild() {
      // Where no child is dead, the call succeeds all the same, and may leave si_pid as it was (waitid(2)).
      info[SI_PID] = 0;
      if (waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === 0) return info[SI_PID] || 'none';
      return koffi.errno() === constants.errno.ECHILD ? 'none' : 'refused';
    },
    become(program, argv, env, ignored, files) {
      for (const fd of files) fcntl(fd, F_SETFD, 0);
      for (const signal of ignored) setSignal(signal, SIG_IGN);
      execve(program, [...argv, null], [...env, null]);
      return errnoName();
    },
    beginSession() {
      setsid();
    },
    // Asynchronous, because the disk may first have to take what was written.
    cutFile: (fd, how, offset, length) =>
      new Promise((resolve, reject) => {
        fallocate.async(fd, CUT_MODE[how], offset, length, (error: unknown, result: number) => {
          if (error) reject(error);
          else resolve(result === 0 ? null : errnoName());
        });
      }),
    isReaderGone(fd) {
      // struct pollfd: int fd; short events, revents.
      const asked = Buffer.alloc(8);
      asked.writeInt32LE(fd, 0);
      return poll(asked, 1, 0) === 1 && (asked.readInt16LE(6) & (POLLERR | POLLHUP)) !== 0;
    },
    ...pidfds,
    endWatch: () => {
      endWatch ??= { is: pidfds.pidfd && bindEndWatch(koffi, libc, pidfds.pidfd, poll) };
      return endWatch.is;
    },
    terminals: () => {
      terminals ??= bindTerminals(libc, errnoName);
      return terminals;
    },
    takeTerminal(fd) {
      setSignal(constants.signals.SIGTTOU, SIG_IGN);
      return tcsetpgrp(fd, getpgrp()) === 0;
    },
    trimMemory() {
      mallocTrim?.(0);
    },
    mkfifo(path, mode) {
      if (makeFifo(path, mode) === 0) return;
      const code = errnoName();
      throw Object.assign(new Error(`${code}: mkfifo ${path}`), { code });
    },
  };
}

/** Prefers fallocate64, because an offset of glibc's fallocate has 32 bits on 32-bit machines. */
function bindFallocate(libc: import('koffi').LibraryHandle) {
  try {
    return libc.func('int fallocate64(int, int, int64, int64)');
  } catch {
    return libc.func('int fallocate(int, int, int64, int64)');
  }
}

function bindMallocTrim(libc: import('koffi').LibraryHandle) {
  try {
    return libc.func('int malloc_trim(size_t)');
  } catch {
    return null;
  }
}

/** Tells whether the signals of this process go through pidfds. */
export function pidfdCapability(native: Native | NativeUnavailable): Capability {
  if (!native.available) return { held: false, why: native.why };
  return { held: native.pidfd !== null, why: native.whyNoPidfd };
}

/**
 * Returns the calls for pseudo-terminals, or says why there are none.
 */
export async function loadTerminals(): Promise<Terminals | { readonly why: string }> {
  const native = await loadNative();
  return native.available ? native.terminals() : { why: native.why };
}
