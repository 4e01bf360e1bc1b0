/** The fields of one /proc/PID/stat line that devctl keeps, in the kernel's own units. */
export interface StatLine {
  readonly pid: number;
  readonly name: string;
  readonly state: string;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  readonly kernelThread: boolean;
  /** User plus system time, in clock ticks. */
  readonly cpuTicks: number;
  /** The same of the children that the process has waited for, and of their children. */
  readonly childTicks: number;
  readonly threads: number;
  readonly startTicks: number;
  readonly rssPages: number;
}

/** Fields of proc_pid_stat(5), counted from the state letter, which is the first after the name. */
const STATE = 0;
const PPID = 1;
const PGRP = 2;
const SESSION = 3;
const FLAGS = 6;
const UTIME = 11;
const STIME = 12;
const CUTIME = 13;
const CSTIME = 14;
const NUM_THREADS = 17;
const START_TIME = 19;
const RSS = 21;

/** PF_KTHREAD of the kernel's include/linux/sched.h. In a container pid 2 is no proof of a kernel thread. */
const KERNEL_THREAD_FLAG = 0x00200000;

/**
 * Parses the content of /proc/PID/stat.
 *
 * @returns null when the text is not a whole line, as when the process ended during the read
 */
export function parseStat(text: string): StatLine | null {
  // The name sits in parentheses and may itself contain spaces, newlines and parentheses: a process
  // called "a) R 1 1 1" is legal. Only the last ")" is certain to close it.
  const nameStart = text.indexOf('(');
  const nameEnd = text.lastIndexOf(')');
  if (nameStart < 1 || nameEnd < nameStart) return null;
  const fields = text.slice(nameEnd + 2).split(' ', RSS + 1);
  const state = fields[STATE];
  const pid = Number.parseInt(text, 10);
  if (!state || Number.isNaN(pid) || fields.length <= RSS) return null;
  return {
    pid,
    name: unescapeName(text.slice(nameStart + 1, nameEnd)),
    state,
    ppid: Number(fields[PPID]),
    pgid: Number(fields[PGRP]),
    sid: Number(fields[SESSION]),
    kernelThread: (Number(fields[FLAGS]) & KERNEL_THREAD_FLAG) !== 0,
    cpuTicks: Number(fields[UTIME]) + Number(fields[STIME]),
    childTicks: Number(fields[CUTIME]) + Number(fields[CSTIME]),
    threads: Number(fields[NUM_THREADS]),
    startTicks: Number(fields[START_TIME]),
    rssPages: Number(fields[RSS]),
  };
}

/** Reads a name, in which the kernel writes a newline as `\n` and a backslash as `\\` (proc_task_name). */
function unescapeName(name: string): string {
  if (!name.includes('\\')) return name;
  return name.replace(/\\(n|\\)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : '\\'));
}
