import { setTimeout } from 'node:timers/promises';
import { startOf } from './read-processes.ts';
import { describeSeen, type SeenProcess } from './seen-process.ts';

/** How long ending may take before it is an error, in milliseconds. */
const DEADLINE_MS = 15_000;

/**
 * Ends what `find` finds, and what it finds then, until two looks in a row find nothing.
 *
 * Each round stops (SIGSTOP) all before it kills any, so that a fork storm cannot outrun it.
 *
 * @returns everything that it ended.
 * @throws Error naming what is still alive after 15 seconds.
 */
export async function endProcesses(find: () => readonly SeenProcess[]): Promise<SeenProcess[]> {
  const ended = new Map<string, SeenProcess>();
  const end = performance.now() + DEADLINE_MS;
  let empty = 0;
  while (empty < 2) {
    const found = find();
    empty = found.length === 0 ? empty + 1 : 0;
    if (found.length > 0 && performance.now() > end) {
      throw new Error(`Cannot end:\n${found.map(describeSeen).join('\n')}`);
    }
    for (const seen of found) {
      ended.set(`${seen.pid}:${seen.started}`, seen);
      signalExactly(seen, 'SIGSTOP');
    }
    for (const seen of found) signalExactly(seen, 'SIGKILL');
    await setTimeout(20);
  }
  return [...ended.values()];
}

/** Signals this very process, not whoever has its number now. */
export function signalExactly(target: SeenProcess, signal: NodeJS.Signals): void {
  if (startOf(target.pid) !== target.started) return;
  try {
    process.kill(target.pid, signal);
  } catch {
    // Gone meanwhile, or another user's: the next look tells which.
  }
}
