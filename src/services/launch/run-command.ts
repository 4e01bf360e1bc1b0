import { closeSync, fstatSync, openSync } from 'node:fs';
import { inWords } from '../../errors.ts';
import { COOKIE_VARIABLES, inheritedEnvironment } from '../../ownership/cookie.ts';
import { loadSpawn, type Spawned } from '../../processes/spawn.ts';
import { appendFlags } from '../../project/atomic-file.ts';
import { whyNotAppend } from '../../project/safe-file.ts';
import type { Contain } from './launch.ts';

/** An environment like `process.env`. A variable that is undefined is not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The end of a command that devctl runs itself, as waitpid(2) told it, or the reason why it could not be run. */
export type CommandEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: 'failed'; readonly why: string };

interface RunPlace {
  readonly cwd: string;
  /** The whole environment, cookie included. */
  readonly env: Environment;
  /** Absolute path of the file that the output is appended to; null: the output is dropped. */
  readonly log: string | null;
  /** When this is aborted, the command is killed: its whole group, or with `spareGroup` its process alone. */
  readonly over: AbortSignal;
  readonly spareGroup?: boolean;
  /** Contains the command from its birth on; missing where the command needs no containment. */
  readonly contain?: Contain;
  /** Called in the same turn of the event loop as the spawn, so the process is there, if only as a zombie. */
  readonly onBorn?: (pid: number) => void;
}

/** Runs a command as the leader of a session of its own until it ends. Never rejects. */
export async function runCommandToEnd(
  command: string | readonly string[],
  { cwd, env, log: path, over, spareGroup, contain, onBorn }: RunPlace,
): Promise<CommandEnd> {
  const [file = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const spawnChild = await loadSpawn();
  const log = path === null ? 'ignore' : openLog(path);
  const born = () => spawnChild(file, args, { cwd, env, stdio: ['ignore', log, log] });
  let spawned: Spawned;
  try {
    spawned = contain ? contain(born).child : born();
  } catch (error) {
    return { kind: 'failed', why: inWords(error) };
  } finally {
    if (log !== 'ignore') closeSync(log);
  }
  if (spawned.child === null) return { kind: 'failed', why: inWords(await spawned.failure) };

  const { child, pid } = spawned;
  return new Promise((resolve) => {
    const expire = (): void => {
      // A child of ours that has not been reaped cannot have lost its number to another process.
      if (child.exitCode === null && child.signalCode === null) kill(spareGroup ? pid : -pid);
    };
    over.addEventListener('abort', expire);
    child.once('exit', (code, signal) => {
      over.removeEventListener('abort', expire);
      resolve({ kind: 'exited', code, signal });
    });
    if (over.aborted) expire();
    onBorn?.(pid);
  });
}

/**
 * Gives a command a time limit.
 *
 * @param run runs the command, and ends it when `over` is aborted
 * @returns why it has not done its work; null: it has, or there was none
 */
export async function withTimeLimit(
  limitMs: number,
  over: AbortController,
  run: (over: AbortSignal) => Promise<CommandEnd | null>,
): Promise<string | null> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    over.abort();
  }, limitMs);
  const end = await run(over.signal);
  clearTimeout(timer);
  return end && endProblem(end, isLate ? limitMs : null);
}

/**
 * Words why a command has not done its work; null: it has.
 *
 * @param lateMs the time that it had, in ms, where it took longer; else null
 */
function endProblem(end: CommandEnd, lateMs: number | null): string | null {
  if (end.kind === 'failed') return `could not be run: ${end.why}`;
  if (lateMs !== null) return `took longer than ${lateMs / 1_000} s, so it was ended`;
  if (end.signal !== null) return `was ended by ${end.signal}`;
  return end.code === 0 ? null : `exited with code ${end.code}`;
}

/** The environment of a caller, without the cookie that it may have. */
export function withoutCookie(env: Environment): Record<string, string | undefined> {
  const plain: Record<string, string | undefined> = inheritedEnvironment(env);
  for (const name of COOKIE_VARIABLES) delete plain[name];
  return plain;
}

function openLog(path: string): number | 'ignore' {
  try {
    const fd = openSync(path, appendFlags, 0o600);
    if (whyNotAppend(fstatSync(fd)) === null) return fd;
    closeSync(fd);
    return 'ignore';
  } catch {
    // Where the folder is deleted or the disk is full, the command runs without its output.
    return 'ignore';
  }
}

function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // ESRCH: it has just ended by itself.
  }
}
