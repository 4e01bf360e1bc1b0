import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const AUTOGROUP = '/proc/self/autogroup';
const HIGHEST = -20;

/**
 * Gives this process the highest priority until it ends, where it may: only root may (setpriority(2)).
 *
 * Where sched_autogroup is on, Linux shares the processor between sessions (sched(7)): among fifty busy sessions, ours
 * has a fiftieth, whatever our own niceness. The session gets its niceness back at the end, because
 * the shell that called us is in the same session.
 */
export function takePrecedence(): void {
  try {
    setPriority(HIGHEST);
    const before = /nice (-?\d+)/.exec(readFileSync(AUTOGROUP, 'latin1'))?.[1];
    if (before === undefined) return;
    writeFileSync(AUTOGROUP, String(HIGHEST));
    process.once('exit', () => {
      try {
        writeFileSync(AUTOGROUP, before);
      } catch {
        // The session keeps the priority: nothing depends on it.
      }
    });
  } catch {
    // Not root, or no such file: devctl goes on without.
  }
}
