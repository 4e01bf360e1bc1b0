import { followLogs } from './log-follow.ts';
import type { LogLine } from './log-lines.ts';
import { type LogReader, readLog } from './log-reader.ts';
import type { LogSource } from './log-source.ts';

export interface LogWatch {
  stop(): void;
}

export interface LogWatchOptions {
  readonly source: LogSource;
  /** The folder that it is in. */
  readonly folder: string;
  /** So many lines are wanted at most. */
  readonly lines: number;
  /** `anew`: what was given out before is followed by something else, or much was left out since. */
  readonly hear: (lines: readonly LogLine[], anew: boolean) => void;
}

/** After many lines at once, the next ones wait so long: nobody reads as fast. */
const CALM_MS = 250;
const MANY_LINES = 200;

/**
 * The end of one log, and what comes: for a screen, which is to show the last lines and not to fall
 * behind. Where more comes than is read at once, it begins again with the last ones.
 */
export function watchLog({ source, folder, lines, hear }: LogWatchOptions): LogWatch {
  let stopped = false;
  let reader = readLog(source);
  const last = (): LogLine[] => [...reader.history({ lines, sinceMs: null }, false)];
  hear(last(), true);
  const steady: LogReader = {
    service: source.service,
    history: (wanted, toEnd) => reader.history(wanted, toEnd),
    skip: () => reader.skip(),
    next(now) {
      const read = reader.next(now);
      if (!read.more) return read;
      reader = readLog(source);
      if (!stopped) hear(last(), true);
      return { lines: [], more: false };
    },
    flush: (now, ms) => reader.flush(now, ms),
    waits: () => reader.waits(),
  };
  const following = followLogs({
    readers: () => [steady],
    folders: [folder],
    emit(added) {
      if (stopped) return;
      hear(added, false);
      if (added.length < MANY_LINES) return;
      return new Promise((resolve) => setTimeout(resolve, CALM_MS));
    },
  });
  return {
    stop() {
      stopped = true;
      following.stop();
      // What it still reads is heard by nobody.
      following.done.catch(() => {});
    },
  };
}
