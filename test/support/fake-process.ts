import type { Host, SignalName } from '../../src/processes/host.ts';
import type { Identity } from '../../src/processes/identity.ts';
import {
  isGone,
  type OpenFile,
  type ProcessDetails,
  type ProcessInfo,
} from '../../src/processes/snapshot.ts';
import { BOOT, NAMESPACE } from './process-table.ts';

/** What a process does of its own accord. Acts may do anything that a system call could. */
export interface SignalBehaviour {
  /** On the stop signal (TERM, INT, HUP, QUIT). Default: it exits. */
  readonly onTerm?: (machine: FakeMachine, pid: number) => void;
  /** When one of its own children has ended. */
  readonly onChildExit?: (machine: FakeMachine, pid: number, child: FakeProcess) => void;
  /** Once, at its birth. */
  readonly onBirth?: (machine: FakeMachine, pid: number) => void;
  /** Uninterruptible sleep: SIGKILL stays pending for ever. */
  readonly stuck?: boolean;
  /** Another user's: every signal is answered with EPERM. */
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
  /** What it has open; children inherit it. */
  files: readonly OpenFile[];
  kernelThread: boolean;
  subreaper: boolean;
  /** Its control group, as path and as folder; null: that of everybody. */
  group: string | null;
  /** By its control group: it does nothing, but dies of SIGKILL. */
  frozen: boolean;
  behaviour: SignalBehaviour;
  /** The truth that devctl has to find out: children inherit it. */
  ours: boolean;
  termPending: boolean;
}

export type Birth = Partial<Omit<FakeProcess, 'startTicks' | 'termPending' | 'frozen'>>;

export interface SignalSent {
  readonly pid: number;
  readonly startTicks: number;
  /** Its name at the time: of the service that it descends from, unless it changed it. */
  readonly name: string;
  readonly ours: boolean;
  readonly signal: SignalName;
  readonly atMs: number;
  /** Was it aimed at this process, or at its whole group? */
  readonly through: 'pid' | 'group';
}

export interface FakeMachine extends Host {
  readonly processes: ReadonlyMap<number, FakeProcess>;
  /** Every signal that reached a process, in order. */
  readonly signals: readonly SignalSent[];
  /** Reads of the table so far, whole or process by process. */
  readonly scans: () => number;
  /** Does nothing where the parent is gone; returns the child's pid, 0 then. */
  fork(parent: number, birth?: Birth): number;
  exit(pid: number): void;
  setsid(pid: number): void;
  setpgid(pid: number, pgid: number): void;
  exec(pid: number, image: Pick<Birth, 'environ' | 'argv' | 'name' | 'behaviour'>): void;
  /** Calls `act` when so much time has passed, if the process is still the same one then. */
  after(ms: number, pid: number, act: (machine: FakeMachine, pid: number) => void): void;
  identity(pid: number): Identity;
  /** Living processes of ours, by pid. */
  oursAlive(): readonly number[];
  /** Every signal that reached what is not ours. */
  readonly bystandersSignalled: () => readonly SignalSent[];
}

/** Nothing left but an entry that waits to be reaped; `isGone` says so to devctl. */
export function isDead({ state, threads }: FakeProcess): boolean {
  return (state === 'Z' && threads <= 1) || state === 'X';
}

export function identityOf({ pid, startTicks }: FakeProcess): Identity {
  return { pid, startTicks, bootId: BOOT, pidNamespace: NAMESPACE };
}

/** As devctl sees it. */
export function rowOf(process: FakeProcess): ProcessInfo {
  const { ppid, pgid, sid, state, threads, kernelThread, name } = process;
  const rest = { state, threads, kernelThread, name, rssBytes: 0, cpuTicks: 0 };
  return { identity: identityOf(process), ppid, pgid, sid, ...rest };
}

/** Read when asked for, so that what has died meanwhile, or runs something else, shows it. */
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
