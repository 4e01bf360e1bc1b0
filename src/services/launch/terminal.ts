import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { COOKIE_VARIABLES } from '../../ownership/cookie.ts';
import { packageRoot } from '../../package-root.ts';
import { TERMINAL_KEEPER } from '../../processes/describe.ts';
import { whenPidEnded } from '../../processes/end-of-process.ts';
import { loadTerminals } from '../../processes/native/native.ts';
import type { PseudoTerminal } from '../../processes/native/terminals.ts';
import type { SpawnChild } from '../../processes/spawn.ts';
import type { Exit } from '../../project/service-record.ts';

/** The size of a service's terminal until somebody attaches to it. */
const SIZE = { columns: 80, rows: 24 };

/** A terminal that every program knows: the one that people most likely attach with. */
const TERM = 'xterm-256color';

/**
 * The holder of a pseudo-terminal: its master is 3, the log of the service 1, its stdin FIFO 4, and the pid of the
 * service is $1. It copies from the master to the log, and from the FIFO to the master. The leader of the session waits
 * for the end of 5.
 *
 * Two shells and two `cat`, not Node: less than a megabyte instead of 40, and nothing in it can fail. It outlives the
 * supervisor, because a terminal without a holder hangs up. It ignores every signal that a stop may send, because the
 * last words of the service are still to come, and ends when the service has ended and no process has the terminal open:
 * then the master reads EIO (pty(7)).
 *
 * - `cat` ends with EIO, too, while the service lives and has closed its terminal for now. A process that has ended has
 *   no command line any more (proc_pid_cmdline(5)), and the leader of the session keeps its number.
 * - `cat` ends with an error where the disk is full. Then `dd` drops what cannot be written, and the service goes on.
 * - A `cat` that is killed is begun again. That of the FIFO is ended by a signal to our own process group, which cannot
 *   reach anybody else.
 */
const HOLDER = `trap '' HUP INT QUIT TERM USR1 USR2 ALRM ABRT PIPE TSTP TTIN TTOU
while cat <&4 >&3; [ $? -gt 128 ]; do :; done 5>&- &
exec 4<&-
while :; do
cat <&3 5>&-
[ $? -gt 128 ] && continue
dd bs=65536 count=1 <&3 >/dev/null 5>&- && continue
line=
read -r line <"/proc/$1/cmdline"
[ "$line" ] || break
sleep 1
done
trap '' VTALRM
kill -VTALRM 0
exit 0`;

/** The folders of `cat` and `dd`. Not PATH, where a project may have put programs of the same names. */
const TOOLS = '/usr/bin:/bin:/run/current-system/sw/bin';

/**
 * Makes the terminal of a service.
 *
 * @throws Error that says why there can be none
 */
export async function openServiceTerminal(): Promise<PseudoTerminal> {
  const terminals = await loadTerminals();
  if ('why' in terminals) throw new Error(whyNoTerminal(terminals.why));
  try {
    return terminals.open(SIZE);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`no terminal can be made for it: ${why}`, { cause });
  }
}

/** Words the reason why a service with `"tty": true` cannot be started. */
export function whyNoTerminal(why: string): string {
  return process.platform === 'linux'
    ? `"tty": true needs a pseudo-terminal, which devctl makes through koffi, and there is none: ${why}`
    : '"tty": true needs a pseudo-terminal, which devctl makes on Linux only';
}

/** The descriptor on which the leader of the session reads what to spawn. */
export const SPEC_FD = 3;
/** The descriptor on which it says what it has spawned. It is closed when the process has become `cat`. */
export const REPORT_FD = 4;

/** The program that the leader of the session is to spawn, and the terminal for it. */
export interface TerminalSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path of the slave. */
  readonly terminal: string;
  /** Path of the program that it becomes. */
  readonly cat: string;
  /** The name of that program in its arguments. */
  readonly name: string;
}

/** The process that the leader has spawned, or why it could not. */
export type TerminalReport =
  | { readonly pid: number }
  | { readonly error: string; readonly errno?: string | null };

/** The service of a run, its files, and the pseudo-terminal to put it on. */
export interface OnTerminal extends Pick<TerminalSpec, 'file' | 'args' | 'cwd' | 'env'> {
  readonly terminal: PseudoTerminal;
  readonly log: number;
  readonly stdin: number;
  /** Spawns where the run is contained. */
  readonly spawnChild: SpawnChild;
}

/** The processes of a service on a terminal. */
export interface SpawnedOnTerminal {
  readonly kind: 'spawned';
  /** The pid of the service. */
  readonly pid: number;
  /** Resolves when the service has ended. */
  readonly exited: Promise<Exit>;
  readonly session: SpawnedProcess;
  readonly holder: SpawnedProcess;
}

/** A child, and its exit to come. */
export interface SpawnedProcess {
  readonly pid: number;
  readonly ended: Promise<Exit>;
}

/**
 * Spawns a service on a pseudo-terminal: the leader of the session, the service below it, and the holder.
 *
 * @returns the errno name and the words of the failure where nothing runs
 */
export async function spawnOnTerminal(
  on: OnTerminal,
): Promise<SpawnedOnTerminal | { readonly kind: 'failed'; readonly error: Error }> {
  const { spawnChild, terminal, cwd, env, file, args, log, stdin } = on;
  const cat = CATS.find((path) => existsSync(path));
  if (cat === undefined) return failed(new Error(`there is no cat: ${CATS.join(', ')}`));
  const ends = await openPipe();
  const marks = { PATH: TOOLS, ...pick(env, COOKIE_VARIABLES) };
  try {
    const script = join(packageRoot(), 'dist', 'supervisor', 'terminal-session.cjs');
    const stdio = [ends.read, 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    const session = spawnChild(process.execPath, [script], { cwd, env: marks, stdio });
    if (session.child === null) return failed(await session.failure);
    const { child } = session;
    const ended = endOf(child);
    // BusyBox is many programs in one, and needs the name to know which.
    const name = basename(realpathSync(cat)) === 'cat' ? TERMINAL_KEEPER : 'cat';
    const spec = { file, args, cwd, env, terminal: terminal.path, cat, name };
    const report = await converse(child, spec);
    if (!('pid' in report)) {
      const { error, errno } = report;
      return failed(Object.assign(new Error(error), errno ? { code: errno } : {}));
    }
    const exited = whenPidEnded(report.pid);
    const holder = spawnChild('/bin/sh', ['-c', HOLDER, TERMINAL_KEEPER, String(report.pid)], {
      cwd,
      env: marks,
      stdio: ['ignore', log, 'ignore', terminal.master, stdin, ends.write],
    });
    // Without a holder the terminal hangs up, and the leader of the session ends.
    if (holder.child === null) return failed(await holder.failure);
    return {
      kind: 'spawned',
      pid: report.pid,
      exited,
      session: { pid: session.pid, ended },
      holder: { pid: holder.pid, ended: endOf(holder.child) },
    };
  } finally {
    closeSync(ends.read);
    closeSync(ends.write);
  }
}

/** The places of `cat`. Not those of PATH, where a project may have put a program of the same name. */
const CATS = ['/bin/cat', '/usr/bin/cat', '/run/current-system/sw/bin/cat'];

function failed(error: unknown): { readonly kind: 'failed'; readonly error: Error } {
  return { kind: 'failed', error: error instanceof Error ? error : new Error(String(error)) };
}

async function openPipe(): Promise<{ readonly read: number; readonly write: number }> {
  const terminals = await loadTerminals();
  if ('why' in terminals) throw new Error(whyNoTerminal(terminals.why));
  return terminals.pipe();
}

/** Tells the leader of the session what to spawn, and waits until it has done so and has become `cat`. */
async function converse(child: ChildProcess, spec: TerminalSpec): Promise<TerminalReport> {
  const told = child.stdio[SPEC_FD] as Writable;
  const report = child.stdio[REPORT_FD] as Readable;
  // It may have ended already; then it has said nothing.
  told.on('error', () => {});
  told.end(JSON.stringify(spec));
  let said = '';
  for await (const chunk of report) said += String(chunk);
  const [line = ''] = said
    .split('\n')
    .filter((one) => one !== '')
    .slice(-1);
  if (line === '') return { error: 'the process that begins its session has ended' };
  return JSON.parse(line) as TerminalReport;
}

function endOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** Variables that describe the terminal of the person who has started the service, which is another one. */
const OF_TERMINAL = ['TERM', 'LINES', 'COLUMNS'] as const;

/**
 * Returns the environment of a service on a terminal of its own: a name that programs know, and no size, because the
 * terminal itself tells it.
 *
 * @param env its whole environment
 * @param own the variables that the manifest gives it
 */
export function terminalEnvironment(
  env: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const others = Object.entries(env).filter(([name]) => !OF_TERMINAL.some((one) => one === name));
  return { TERM, ...Object.fromEntries(others), ...pick(own, OF_TERMINAL) };
}

function pick(
  variables: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = variables[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
