import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import {
  parentOfPortably,
  readProcessesPortably,
  startOfPortably,
} from './read-processes-portably.ts';
import type { SeenProcess } from './seen-process.ts';

/**
 * Reads every process of the machine without any code of devctl.
 *
 * On Linux the arguments, files and environment of a process are read at the first use of the field, because most
 * callers look for a pid only, and `until` asks every few milliseconds. A copy (`{ ...seen }`) reads all of them.
 *
 * @param since leaves out the processes that were started before this moment, as `startTimeNow` tells it
 */
export function readProcesses(since = 0): SeenProcess[] {
  if (process.platform !== 'linux') return readProcessesPortably();
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])
    .filter(({ started }) => Number(started) >= since);
}

/** The start time of a process that is started now, for `readProcesses`; 0 where start times cannot be compared. */
export function startTimeNow(): number {
  if (process.platform !== 'linux') return 0;
  // proc_uptime(5) counts seconds since the boot, with two digits; proc_pid_stat(5) counts clock ticks, 100 a second.
  return Math.floor(Number.parseFloat(readText('/proc/uptime')) * 100);
}

/** When the process that has this pid now was started, in the words of `SeenProcess.started`; '' if none has. */
export function startOf(pid: number): string {
  return process.platform === 'linux' ? (readProcess(pid)?.started ?? '') : startOfPortably(pid);
}

/** The pid of the parent of a process; 0 for a process that does not exist. */
export function parentOf(pid: number): number {
  return process.platform === 'linux' ? (readProcess(pid)?.ppid ?? 0) : parentOfPortably(pid);
}

/** Reads one process; null when there is none, or when it is a thread of the kernel. Linux only. */
export function readProcess(pid: number): SeenProcess | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (!stat) return null;
  // comm may hold spaces and parentheses: everything after the last one is numbers (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => fields[number - 3] ?? '';
  if (Number(field(9)) & KERNEL_THREAD) return null;
  const zombie = field(3) === 'X' || (field(3) === 'Z' && Number(field(20)) <= 1);
  // The first thread is gone, and with it all that /proc/PID shows: another thread still shows it.
  const folder = field(3) === 'Z' && !zombie ? livingThread(pid) : `/proc/${pid}`;
  const argv = once(() => readList(`${folder}/cmdline`));
  const cwd = once(() => readLink(`${folder}/cwd`));
  const files = once(() =>
    [cwd(), readLink(`${folder}/exe`), ...openFiles(folder)].filter((file) => file !== null),
  );
  const environment = once(() => readList(`${folder}/environ`));
  return {
    pid,
    started: field(22),
    ppid: Number(field(4)),
    pgid: Number(field(5)),
    sid: Number(field(6)),
    zombie,
    rssBytes: Number(field(24)) * 4096,
    get argv() {
      return argv();
    },
    get cwd() {
      return cwd();
    },
    get files() {
      return files();
    },
    get environment() {
      return environment();
    },
  };
}

/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const KERNEL_THREAD = 0x0020_0000;

function once<T>(read: () => T): () => T {
  let value: { readonly read: T } | undefined;
  return () => {
    value ??= { read: read() };
    return value.read;
  };
}

function livingThread(pid: number): string {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).filter((thread) => thread !== String(pid));
    return `/proc/${pid}/task/${threads[0] ?? pid}`;
  } catch {
    return `/proc/${pid}`;
  }
}

function openFiles(folder: string): (string | null)[] {
  try {
    return readdirSync(`${folder}/fd`).map((fd) => readLink(`${folder}/fd/${fd}`));
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function readList(path: string): string[] {
  return readText(path).split('\0').filter(Boolean);
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path).replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}
