import type { ChildProcess } from 'node:child_process';

/** Resolves with the news of the end of each. */
const living = new Map<number, Promise<void>>();

/**
 * Notes a child that Node has just spawned. Until Node has told its end, nobody but Node may reap it
 * (waitpid(2)): the news of it would never come.
 *
 * To be called for every spawn of a process that reaps what it has adopted.
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

/** Resolves when Node has told the end of this child of ours; null where it is none, or has. */
export function newsOfEnd(pid: number): Promise<void> | null {
  return living.get(pid) ?? null;
}
