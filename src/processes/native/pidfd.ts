import { constants } from 'node:os';

/** Signals that reach one process and never the next owner of its number: pidfd_open(2). */
export interface Pidfd {
  /** Opens a descriptor, which the caller closes, or answers the errno name of the refusal. */
  open(pid: number): number | string;
  /** Sends a signal, or none for 0: null when it was or could be sent, else the errno name. */
  send(fd: number, signal: NodeJS.Signals | 0): string | null;
  close(fd: number): void;
}

/** The number of the call since Linux 5.1, on every architecture but alpha and mips, which Node does not support. */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const ARCHITECTURES = new Set([
  'x64',
  'arm64',
  'arm',
  'ia32',
  'riscv64',
  'ppc64',
  's390x',
  'loong64',
]);

/** Binds the pidfd calls, or tells why they cannot be used: ENOSYS before Linux 5.3, EPERM of a seccomp filter. */
export function bindPidfd(
  libc: import('koffi').LibraryHandle,
  errnoName: () => string,
): { readonly pidfd: Pidfd | null; readonly whyNoPidfd: string | null } {
  const without = (whyNoPidfd: string) => ({ pidfd: null, whyNoPidfd });
  if (!ARCHITECTURES.has(process.arch)) return without(`pidfd: not known on ${process.arch}`);
  // syscall(2) by number: glibc has wrappers since 2.36 only, musl has none.
  const open = libc.func('long syscall(long, int, unsigned int)');
  const send = libc.func('long syscall(long, int, int, void *, unsigned int)');
  const close = libc.func('int close(int)');
  // A filter may refuse either call with EPERM, which must not be taken for "another user's process".
  // Signal 0 to ourselves tells.
  const fd: number = open(SYS_PIDFD_OPEN, process.pid, 0);
  if (fd < 0) return without(`pidfd_open: ${errnoName()}`);
  const refusal =
    send(SYS_PIDFD_SEND_SIGNAL, fd, 0, null, 0) === 0 ? null : `pidfd_send_signal: ${errnoName()}`;
  close(fd);
  if (refusal !== null) return without(refusal);
  const pidfd: Pidfd = {
    open(pid) {
      const opened: number = open(SYS_PIDFD_OPEN, pid, 0);
      return opened >= 0 ? opened : errnoName();
    },
    send: (target, signal) =>
      send(SYS_PIDFD_SEND_SIGNAL, target, signal === 0 ? 0 : constants.signals[signal], null, 0) ===
      0
        ? null
        : errnoName(),
    close: (target) => void close(target),
  };
  return { pidfd, whyNoPidfd: null };
}
