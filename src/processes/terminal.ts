import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { loadNative } from './native/native.ts';
import { readProcLine } from './proc-file.ts';
import type { Snapshot } from './snapshot.ts';

/** The controlling terminal of this process, as job control sees it (credentials(7)). */
export interface ControllingTerminal {
  /** The process group that the keys of the terminal go to; null where that cannot be told. */
  readonly foreground: number | null;
  /** Is that ours? Where it cannot be told: yes. */
  readonly isForeground: boolean;
}

/** Fields of proc_pid_stat(5), counted from the state letter. */
const PGRP = 2;
const TTY_NR = 4;
const TPGID = 5;

/** @returns null where there is none: a daemon, a CI job, what `setsid` has started */
export function controllingTerminal(): ControllingTerminal | null {
  const line = process.platform === 'linux' ? readProcLine('/proc/self/stat') : null;
  if (line === null) {
    // Standard files on a terminal are as close as it gets without a system call of our own.
    const some = [0, 1, 2].some((fd) => isatty(fd));
    return some ? { foreground: null, isForeground: true } : null;
  }
  return parseTerminal(line);
}

/** The same from the content of /proc/PID/stat. */
export function parseTerminal(stat: string): ControllingTerminal | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', TPGID + 1);
  const [own, terminal, foreground] = [PGRP, TTY_NR, TPGID].map((at) => Number(fields[at]));
  if (!terminal || foreground === undefined) return null;
  return { foreground, isForeground: foreground === own };
}

/**
 * Takes the terminal back where its foreground group has died, as a shell does when a job ends: else the
 * next one who reads from it would be stopped by SIGTTIN. What lives, such as the shell that a person has
 * gone back to, keeps it.
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
    // It has hung up.
    return;
  }
  try {
    native.takeTerminal(fd);
  } finally {
    closeSync(fd);
  }
}
