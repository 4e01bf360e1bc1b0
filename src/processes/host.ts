/*
 * The files of this folder: what the operating system says of processes, and does to them.
 *
 *   host, real-host         the one door to the machine, and the real one
 *   table, open-table       the process table as devctl needs it, and the one of this machine
 *   snapshot, identity      rows of the table at one moment, and the lasting name of a process
 *   settled-snapshot        a moment when no process is inside execve(2)
 *   unchanged, starvation   comparisons of two snapshots
 *   signals                 signals to a process and to a group, with a check right before
 *   spawn, own-children     children of ours: how they are made, and which Node still has to reap
 *   system-tool             tools whose output is read: ps, lsof, mkfifo
 *   ports, terminal         who listens on a port, who has the terminal
 *   describe, users         processes and users in words
 *   home-folder             the home folder of this user, where there is one
 *   clock, ticks, boot-id   time, in ms and in the kernel's ticks, and the boot that it counts from
 *   capabilities            the means of this machine to contain processes
 *   precedence              the highest priority for a command, where it may have that
 *   proc-file               fast reads of /proc
 *   trusted-user            whose files are obeyed
 *   linux/                  /proc and control groups
 *   portable/               ps and lsof, where there is no /proc
 *   native/                 system calls that Node has no function for
 */
import type { Identity } from './identity.ts';
import type { ProcessDetails, ProcessInfo, Snapshot } from './snapshot.ts';

/**
 * The outcome of one signal. ESRCH and EPERM are normal answers in process control, so they are
 * values: 'gone' (no such process, or a zombie), 'denied' (alive, another user's), 'replaced' (the
 * number belongs to another process now, nothing was sent).
 */
export type SignalOutcome = 'sent' | 'gone' | 'denied' | 'replaced';

/**
 * The signals that devctl sends: those that a manifest may choose, and its own. They are spelled out, so
 * that the published types need none of Node's.
 */
export type SignalName =
  | 'SIGTERM'
  | 'SIGINT'
  | 'SIGHUP'
  | 'SIGQUIT'
  | 'SIGKILL'
  | 'SIGUSR1'
  | 'SIGUSR2'
  | 'SIGALRM'
  | 'SIGABRT'
  | 'SIGWINCH'
  | 'SIGURG'
  | 'SIGSTOP'
  | 'SIGCONT';

/**
 * The one door to the machine: everything that the stop engine and the supervisor may ask of it. The
 * real one is `openHost()`, and tests use `FakeMachine`.
 */
export interface Host {
  snapshot(): Promise<Snapshot>;
  /** Reads one process; null when no process has this pid. It takes a hundredth of the CPU time of a snapshot. */
  read(pid: number): Promise<ProcessInfo | null>;
  /**
   * Reads the table once, from the highest pid down, and calls `visit` for each process as soon as
   * it was read, so that a decision can be carried out before the next process is read.
   */
  scanDescending(
    visit: (process: ProcessInfo, details: ProcessDetails) => Promise<void> | void,
  ): Promise<void>;
  /** Signals exactly this process, and reads its identity again immediately before. */
  signal(target: Identity, signal: SignalName): Promise<SignalOutcome>;
  /** Asks whether this user may signal this process, and sends nothing: signal 0 of kill(2). */
  maySignal(target: Identity): Promise<SignalOutcome>;
  /**
   * Signals the process group `pgid`, and only while `member`, verified by its identity, is alive
   * in it: a group number can be reused once the group is empty.
   * 'sent' says that at least one member got the signal (kill(2)).
   *
   * @param pgid must be greater than 1
   */
  signalGroup(pgid: number, member: Identity, signal: SignalName): Promise<SignalOutcome>;
  /**
   * Freezes a control group, asks `approve`, and ends everything in it and below it at once.
   *
   * @param group absolute path of its folder
   * @param approve gets the pids in the group; 0 for a process of another PID namespace
   * @returns 'refused' by `approve`, or because we are in the group; 'failed' where it cannot be done
   */
  killGroup(
    group: string,
    approve: (pids: readonly number[]) => Promise<boolean>,
  ): Promise<'killed' | 'refused' | 'failed'>;
  /** Tells our own identity. */
  self(): Promise<Identity>;
  /** Monotonic milliseconds. */
  nowMs(): number;
  delay(ms: number): Promise<void>;
}
