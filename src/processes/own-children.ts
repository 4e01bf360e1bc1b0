import type { ChildProcess } from 'node:child_process';

/** The children of ours whose end Node has not told yet, and other processes whose exit is awaited, each with a promise. */
const living = new Map<number, Promise<void>>();

/**
 * Notes a child that Node has just spawned. Until Node has told its end, nobody but Node may reap it
 * (waitpid(2)), because the 'exit' event would never come.
 *
 * A process that reaps the orphans it adopts calls this for every spawn, in the same turn of the event loop.
 */
export function noteChild<Child extends ChildProcess>(child: Child): Child {
  const { pid } = child;
  if (pid === undefined) return child;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      // Another child may have the number by now.
      if (living.get(pid) === ended) living.delete(pid);
      resolve();
    });
  });
  living.set(pid, ended);
  return child;
}

/**
 * Notes a process whose exit somebody reads from its zombie. Until that promise has resolved, nobody may reap it, should it
 * become a child of ours.
 */
export function noteAwaited(pid: number, read: Promise<unknown>): void {
  const ended = read.then(() => {
    if (living.get(pid) === ended) living.delete(pid);
  });
  living.set(pid, ended);
}

/** @returns a promise that Node will tell the end of this child; null for another process, or when it has been told */
export function newsOfEnd(pid: number): Promise<void> | null {
  return living.get(pid) ?? null;
}
