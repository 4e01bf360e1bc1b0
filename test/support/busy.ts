import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnvironment } from './clean-environment.ts';

export interface Busy extends AsyncDisposable {
  /** The number of loops that are still alive. */
  alive(): number;
}

/**
 * Keeps the machine busy with processes that never sleep, at the lowest priority. Each ends by itself after 20 s of CPU
 * time, also when this process is killed. They are not in sessions of their own, because Linux divides the CPU time
 * between sessions first (sched_autogroup, sched(7)), whatever their priority.
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
      // Children of our own that have not been reaped keep their pids.
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
