import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { loadNative } from './native/native.ts';
import { readProcLine } from './proc-file.ts';
import type { Snapshot } from './snapshot.ts';

/** The controlling terminal of this process, as job control sees it (credentials(7)). */
export interface ControllingTerminal {
  /** The process group that gets the keys of the terminal; null where that is not known. */
  readonly foreground: number | null;
  /** True for our own group, and where the group is not known. */
  readonly isForeground: boolean;
}

/** Fields of proc_pid_stat(5), counted from the state letter. */
const PGRP = 2;
const TTY_NR = 4;
const TPGID = 5;

/** @returns null where there is none: in a daemon, in a CI job, below `setsid` */
export function controllingTerminal(): ControllingTerminal | null {
  const line = process.platform === 'linux' ? readProcLine('/proc/self/stat') : null;
  if (line === null) {
    // Without a system call of our own, standard files on a terminal are the best evidence.
    const some = [0, 1, 2].some((fd) => isatty(fd));
    return some ? { foreground: null, isForeground: true } : null;
  }
  return parseTerminal(line);
}

/** Reads the same from the content of /proc/PID/stat. */
export function parseTerminal(stat: string): ControllingTerminal | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', TPGID + 1);
  const [own, terminal, foreground] = [PGRP, TTY_NR, TPGID].map((at) => Number(fields[at]));
  if (!terminal || foreground === undefined) return null;
  return { foreground, isForeground: foreground === own };
}

/** Returns the device number of the controlling terminal of a process, as stat(2) says it; null: it has none. */
export function terminalNumber(pid: number): number | null {
  const stat = readProcLine(`/proc/${pid}/stat`);
  const number = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[TTY_NR]);
  return number > 0 ? number : null;
}

/**
 * Takes the terminal back where its foreground group has died, as a shell does when a job ends. Without that, SIGTTIN
 * would stop the next process that reads from it. A living group, such as the shell that a person has
 * gone back to, keeps the terminal.
 */
export async function retakeTerminal(snapshot: Pick<Snapshot, 'byGroup'>): Promise<void> {
  const terminal = controllingTerminal();
  if (!terminal || terminal.isForeground || terminal.foreground === null) return;
  if (snapshot.byGroup.has(terminal.foreground)) return;
  const native = await loadNative();
  if (!native.available) return;
  let fd: number;
  try {
    fd = openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    // The terminal has hung up.
    return;
  }
  try {
    native.takeTerminal(fd);
  } finally {
    closeSync(fd);
  }
}
