import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnvironment } from './clean-environment.ts';

export interface Busy extends AsyncDisposable {
  /** How many of them are still alive. */
  alive(): number;
}

/**
 * Keeps the machine busy with so many processes that never sleep, at the lowest priority. Each ends
 * by itself after 20 s of processor time, whatever becomes of us. Not in sessions of their own: Linux
 * shares out the processor between sessions first (sched_autogroup, sched(7)), whatever their priority.
 */
export function busyMachine(count: number): Busy {
  const children = Array.from({ length: count }, () =>
    spawn('nice', ['-n', '19', 'sh', '-c', 'ulimit -t 20; while :; do :; done'], {
      cwd: '/',
      env: cleanEnvironment(),
      stdio: 'ignore',
    }),
  );
  const living = () => children.filter(isRunning);
  return {
    alive: () => living().length,
    async [Symbol.asyncDispose]() {
      // Children of our own that have not been reaped: their numbers are nobody else's.
      const ends = living().map((child) => {
        const end = once(child, 'exit');
        child.kill('SIGKILL');
        return end;
      });
      await Promise.all(ends);
    },
  };
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}
