import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readProcessesPortably, startOfPortably } from './read-processes-portably.ts';
import type { Sighting } from './sighting.ts';

/** Every process of the machine, read without any code of devctl. */
export function readProcesses(): Sighting[] {
  if (process.platform !== 'linux') return readProcessesPortably();
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** When the process that has this pid now was started, in the words of `Sighting.started`; '' if none has. */
export function startOf(pid: number): string {
  return process.platform === 'linux' ? (readProcess(pid)?.started ?? '') : startOfPortably(pid);
}

/** One process, in as few reads as possible; null when there is none. Linux only. */
export function readProcess(pid: number): Sighting | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (!stat) return null;
  // comm may hold spaces and parentheses: everything after the last one is numbers (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => fields[number - 3] ?? '';
  const zombie = field(3) === 'X' || (field(3) === 'Z' && Number(field(20)) <= 1);
  // The first thread is gone, and with it all that /proc/PID shows: another thread still shows it.
  const folder = field(3) === 'Z' && !zombie ? livingThread(pid) : `/proc/${pid}`;
  const cwd = readLink(`${folder}/cwd`);
  return {
    pid,
    started: field(22),
    ppid: Number(field(4)),
    pgid: Number(field(5)),
    sid: Number(field(6)),
    zombie,
    rssBytes: Number(field(24)) * 4096,
    argv: readList(`${folder}/cmdline`),
    cwd,
    files: [cwd, readLink(`${folder}/exe`), ...openFiles(folder)].filter((file) => file !== null),
    environment: readList(`${folder}/environ`),
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
