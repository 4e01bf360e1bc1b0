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

function readProcess(pid: number): Sighting | null {
  const folder = `/proc/${pid}`;
  const stat = readText(`${folder}/stat`);
  if (!stat) return null;
  // comm may hold spaces and parentheses: everything after the last one is numbers (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => fields[number - 3] ?? '';
  const cwd = readLink(`${folder}/cwd`);
  return {
    pid,
    started: field(22),
    ppid: Number(field(4)),
    pgid: Number(field(5)),
    sid: Number(field(6)),
    zombie: field(3) === 'X' || (field(3) === 'Z' && Number(field(20)) <= 1),
    rssBytes: Number(field(24)) * 4096,
    argv: readList(`${folder}/cmdline`),
    cwd,
    files: [cwd, readLink(`${folder}/exe`), ...openFiles(folder)].filter((file) => file !== null),
    environment: readList(`${folder}/environ`),
  };
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
