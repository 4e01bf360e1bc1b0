import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const AUTOGROUP = '/proc/self/autogroup';
const HIGHEST = -20;

/**
 * Has this process served before others until it ends, if it may: only root may (setpriority(2)).
 *
 * Where sched_autogroup is on, Linux shares the processor between sessions (sched(7)): among fifty that are
 * busy, ours has a fiftieth, whatever its own niceness. That of the session is given back at the end, because
 * the shell that we were called from has the same.
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
        // The session goes on with what it has: nothing depends on it.
      }
    });
  } catch {
    // Not root, no such file: then without.
  }
}
