import { setTimeout } from 'node:timers/promises';
import { startOf } from './read-processes.ts';
import { describeSeen, type SeenProcess } from './seen-process.ts';

/** How long ending may take before it is an error, in milliseconds. */
const DEADLINE_MS = 15_000;

/** Pause between two looks, in milliseconds. */
const PAUSE_MS = 20;

/**
 * Ends the processes that `find` finds, and those that it finds then, until two looks in a row find none.
 *
 * Each round stops (SIGSTOP) all before it kills any, so that a fork storm cannot outrun it.
 *
 * @returns all processes that it ended.
 * @throws Error naming the processes that are still alive after 15 seconds.
 */
export async function endProcesses(find: () => readonly SeenProcess[]): Promise<SeenProcess[]> {
  const rounds = endInRounds(find);
  for (;;) {
    const round = rounds.next();
    if (round.done) return round.value;
    await setTimeout(PAUSE_MS);
  }
}

/** Does the same as `endProcesses` without giving way to anything else, for a process that is about to exit. */
export function endAtOnce(find: () => readonly SeenProcess[]): SeenProcess[] {
  const rounds = endInRounds(find);
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const round = rounds.next();
    if (round.done) return round.value;
    Atomics.wait(nothing, 0, 0, PAUSE_MS);
  }
}

/** One round each time it is asked. */
function* endInRounds(find: () => readonly SeenProcess[]): Generator<void, SeenProcess[]> {
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
    yield;
  }
  return [...ended.values()];
}

/** Signals this very process, and no other process that has its pid now. */
export function signalExactly(target: SeenProcess, signal: NodeJS.Signals): void {
  if (startOf(target.pid) !== target.started) return;
  try {
    process.kill(target.pid, signal);
  } catch {
    // It has gone meanwhile, or it is another user's: the next look tells which.
  }
}
