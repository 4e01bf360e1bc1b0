import type { Host, SignalName } from '../../src/processes/host.ts';
import type { Identity } from '../../src/processes/identity.ts';
import {
  isGone,
  type OpenFile,
  type ProcessDetails,
  type ProcessInfo,
} from '../../src/processes/snapshot.ts';
import { BOOT, NAMESPACE } from './process-table.ts';

/** The acts of a process by itself. An act may do anything that a system call could. */
export interface SignalBehaviour {
  /** Called on the stop signal (TERM, INT, HUP, QUIT). By default the process exits. */
  readonly onTerm?: (machine: FakeMachine, pid: number) => void;
  /** Called when one of its own children has ended. */
  readonly onChildExit?: (machine: FakeMachine, pid: number, child: FakeProcess) => void;
  /** Called once, at its start. */
  readonly onBirth?: (machine: FakeMachine, pid: number) => void;
  /** Uninterruptible sleep: SIGKILL stays pending for ever. */
  readonly stuck?: boolean;
  /** A process of another user: every signal fails with EPERM. */
  readonly denied?: boolean;
  /** It never waits for its children: they stay zombies until it ends itself. */
  readonly reapsNot?: boolean;
}

export interface FakeProcess {
  readonly pid: number;
  ppid: number;
  pgid: number;
  sid: number;
  readonly startTicks: number;
  state: string;
  threads: number;
  name: string;
  argv: readonly string[];
  cwd: string;
  /** The raw block of /proc/PID/environ. */
  environ: string;
  uid: number;
  /** Its open files, which its children inherit. */
  files: readonly OpenFile[];
  kernelThread: boolean;
  subreaper: boolean;
  /** Its control group, as path and as folder; null for the root group. */
  group: string | null;
  /** Frozen by its control group: it does nothing, but SIGKILL ends it. */
  frozen: boolean;
  behaviour: SignalBehaviour;
  /** Whether it is ours, which devctl has to find out. Children inherit it. */
  ours: boolean;
  termPending: boolean;
}

export type Birth = Partial<Omit<FakeProcess, 'startTicks' | 'termPending' | 'frozen'>>;

export interface SignalSent {
  readonly pid: number;
  readonly startTicks: number;
  /** Its name at the time: the name of its service, unless the process changed it. */
  readonly name: string;
  readonly ours: boolean;
  readonly signal: SignalName;
  readonly atMs: number;
  /** Whether the signal was sent to this process or to its whole group. */
  readonly through: 'pid' | 'group';
}

export interface FakeMachine extends Host {
  readonly processes: ReadonlyMap<number, FakeProcess>;
  /** Every signal that reached a process, in order. */
  readonly signals: readonly SignalSent[];
  /** Reads of the table so far, whole or process by process. */
  readonly scans: () => number;
  /** Returns the pid of the child; 0 when the parent is gone. */
  fork(parent: number, birth?: Birth): number;
  exit(pid: number): void;
  setsid(pid: number): void;
  setpgid(pid: number, pgid: number): void;
  exec(pid: number, image: Pick<Birth, 'environ' | 'argv' | 'name' | 'behaviour'>): void;
  /** Calls `act` after this time, if the process is still the same then. */
  after(ms: number, pid: number, act: (machine: FakeMachine, pid: number) => void): void;
  identity(pid: number): Identity;
  /** Living processes of ours, by pid. */
  oursAlive(): readonly number[];
  /** Every signal that reached a process that is not ours. */
  readonly bystandersSignalled: () => readonly SignalSent[];
}

/** True for an entry that only waits to be reaped, as `isGone` is in devctl. */
export function isDead({ state, threads }: FakeProcess): boolean {
  return (state === 'Z' && threads <= 1) || state === 'X';
}

export function identityOf({ pid, startTicks }: FakeProcess): Identity {
  return { pid, startTicks, bootId: BOOT, pidNamespace: NAMESPACE };
}

/** The process as devctl sees it. */
export function rowOf(process: FakeProcess): ProcessInfo {
  const { ppid, pgid, sid, state, threads, kernelThread, name } = process;
  const rest = { state, threads, kernelThread, name, rssBytes: 0, cpuTicks: 0 };
  return { identity: identityOf(process), ppid, pgid, sid, ...rest };
}

/** Reads details when they are asked for, so that a process that has died or exec'd meanwhile shows it. */
export function detailsOf(processes: ReadonlyMap<number, FakeProcess>): ProcessDetails {
  const read = <Field extends 'uid' | 'argv' | 'cwd' | 'environ' | 'files'>(field: Field) => {
    return (process: ProcessInfo): FakeProcess[Field] | null => {
      const found = processes.get(process.identity.pid);
      if (!found || found.startTicks !== process.identity.startTicks) return null;
      return isGone(process) || found.state === 'Z' ? null : found[field];
    };
  };
  return {
    uid: read('uid'),
    argv: read('argv'),
    cwd: read('cwd'),
    environ: read('environ'),
    openFiles: read('files'),
    controlGroup: ({ identity }) => {
      const found = processes.get(identity.pid);
      return found?.startTicks === identity.startTicks ? found.group : null;
    },
  };
}
