import { errnoOf, inWords } from '../errors.ts';
import { loadSpawn } from '../processes/spawn.ts';

/** How a program of docker ended. */
export type LimitedEnd =
  | {
      readonly kind: 'ended';
      /** Null: a signal ended it. */
      readonly exitCode: number | null;
      readonly stdout: string;
      readonly stderr: string;
    }
  /** It was ended, because its time was up. */
  | { readonly kind: 'silent'; readonly stderr: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly why: string };

export interface LimitedRun {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Told each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
  /** False: the output is told line by line, and not kept. Default: true. */
  readonly keepsOutput?: boolean;
  /** Ends the program before its time. */
  readonly over?: AbortSignal;
}

/** Time that the pipes of a program may stay open after its end, because a child of it has them, in ms. */
const DRAIN_MS = 500;

/** Time between SIGTERM and SIGKILL for a program whose time is up, in ms. */
const KILL_AFTER_MS = 300;

/**
 * Runs a program in a session of its own, so that Ctrl-C does not reach it, and ends its whole group when its time is
 * up: the docker CLI waits for ever for an engine that accepts and does not answer.
 */
export async function runLimited(
  file: string,
  args: readonly string[],
  { env, cwd, timeoutMs, onLine, keepsOutput = true, over }: LimitedRun,
): Promise<LimitedEnd> {
  const spawnChild = await loadSpawn();
  const spawned = spawnChild(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  if (spawned.child === null) {
    const error = await spawned.failure;
    return errnoOf(error) === 'ENOENT'
      ? { kind: 'missing' }
      : { kind: 'failed', why: inWords(error) };
  }
  const { child, pid } = spawned;
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    const cut = lineCutter(onLine);
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      if (keepsOutput) texts[name] += text;
      cut(text);
    });
  }
  return new Promise((resolve) => {
    let isLate = false;
    // A child of ours that has not been reaped cannot have lost its number to another process.
    const end = (signal: NodeJS.Signals): void => {
      if (isRunning()) killGroupOf(pid, signal);
    };
    const expire = (): void => {
      isLate = true;
      end('SIGTERM');
      setTimeout(() => end('SIGKILL'), KILL_AFTER_MS).unref();
    };
    const timer = setTimeout(expire, timeoutMs);
    over?.addEventListener('abort', expire);
    if (over?.aborted) expire();
    const settle = (): void => {
      clearTimeout(timer);
      over?.removeEventListener('abort', expire);
      const { stdout, stderr } = texts;
      resolve(
        isLate
          ? { kind: 'silent', stderr }
          : { kind: 'ended', exitCode: child.exitCode, stdout, stderr },
      );
    };
    child.once('exit', () => setTimeout(settle, DRAIN_MS).unref());
    child.once('close', settle);
  });
}

function killGroupOf(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal);
  } catch {
    // ESRCH: the group has just ended by itself.
  }
}

function lineCutter(onLine: ((line: string) => void) | undefined): (text: string) => void {
  let rest = '';
  return (text) => {
    if (!onLine) return;
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  };
}
