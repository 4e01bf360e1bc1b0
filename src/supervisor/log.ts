import { fstatSync, ftruncateSync, writeSync } from 'node:fs';
import { isoTime, monotonicMs } from '../processes/clock.ts';

/** Largest size of the file. Old lines are not worth more. */
const MAX_BYTES = 1024 * 1024;
/** Time in which the same line is not written again. */
const REPEAT_MS = 10_000;
const MAX_REMEMBERED = 100;

interface Said {
  readonly atMs: number;
  repeated: number;
}

/**
 * Opens the supervisor's log: lines with their time, in a file that stays small. No failure here
 * (a full disk, a pipe that nobody reads) reaches the caller, because services must not lose their supervisor
 * for want of a log.
 *
 * @param fd    opened for appending
 * @param nowMs monotonic
 */
export function openSupervisorLog(
  fd: number,
  nowMs: () => number = monotonicMs,
): (line: string) => void {
  const said = new Map<string, Said>();
  keepSmall(fd);
  return (line) => {
    const now = nowMs();
    const before = said.get(line);
    if (before && now - before.atMs < REPEAT_MS) {
      before.repeated += 1;
      return;
    }
    // Deleted and set again, so that a map walks from the oldest line.
    said.delete(line);
    said.set(line, { atMs: now, repeated: 0 });
    for (const old of said.keys()) {
      if (said.size <= MAX_REMEMBERED) break;
      said.delete(old);
    }
    const again = before?.repeated ? ` (and ${before.repeated} times before)` : '';
    try {
      writeSync(fd, `${isoTime()} ${line.replace(CONTROL, '?')}${again}\n`);
    } catch {
      return;
    }
    keepSmall(fd);
  };
}

/** Characters that must not reach a terminal, in which people read the log. Its quotations may come from anywhere. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;

/** Empties a file that has grown too large. Lines are appended, so the next one is the first. */
function keepSmall(fd: number): void {
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.size > MAX_BYTES) ftruncateSync(fd, 0);
  } catch {
    // As with a line that cannot be written, the supervisor goes on.
  }
}
