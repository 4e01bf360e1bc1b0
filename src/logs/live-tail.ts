import { followLogs } from './follow.ts';
import type { LogLine } from './line-cutter.ts';
import { type LogReader, readLog, type ServiceLine } from './reader.ts';
import type { LogSource } from './source.ts';
import { tolerantReader } from './tolerant-reader.ts';

export interface LiveTail {
  stop(): void;
}

export interface LiveTailOptions {
  readonly source: LogSource;
  /** So many lines are wanted at most. */
  readonly lines: number;
  /** `anew`: what was given out before is followed by something else, or much was left out since. */
  readonly onLines: (lines: readonly LogLine[], anew: boolean) => void;
}

const LOOK_MS = 250;
/** After many lines at once, the next ones wait so long: nobody reads as fast. */
const CALM_MS = 400;
/** After more than is read at once: what a flood costs us must be little beside what it costs itself. */
const FLOOD_MS = 1_000;
const MANY_LINES = 200;

/**
 * The end of one log, and what comes: for a screen, which is to show the last lines and not to fall
 * behind. Where more comes than is read at once, it begins again with the last ones.
 */
export function openLiveTail({ source, lines, onLines: hear }: LiveTailOptions): LiveTail {
  let stopped = false;
  let calmUntil = 0;
  // On a screen there is one place for it: among what it writes.
  const notes: ServiceLine[] = [];
  const tell = (why: string): void => {
    const line = { text: `devctl: ${why}`, position: 0, continues: false, partial: false };
    notes.push({ ...line, service: source.service, time: null });
  };
  const open = (): LogReader => tolerantReader(readLog(source), tell);
  let reader = open();
  const last = (): LogLine[] => [
    ...reader.history({ lines, sinceMs: null }, false),
    ...notes.splice(0),
  ];
  hear(last(), true);
  const steady: LogReader = {
    service: source.service,
    history: (wanted, toEnd) => reader.history(wanted, toEnd),
    skip: () => reader.skip(),
    next(now) {
      if (now < calmUntil) return { lines: [], more: false };
      const read = reader.next(now);
      if (read.lines.length > MANY_LINES) calmUntil = now + CALM_MS;
      if (!read.more) return { lines: [...read.lines, ...notes.splice(0)], more: false };
      calmUntil = now + FLOOD_MS;
      reader = open();
      if (!stopped) hear(last(), true);
      return { lines: [], more: false };
    },
    flush: (now, ms) => reader.flush(now, ms),
    hasPartialLine: () => reader.hasPartialLine(),
  };
  const following = followLogs({
    readers: () => [steady],
    // A flood of writes would be a flood of news from the file system: it is looked at by the clock instead.
    folders: [],
    emit: (added) => {
      if (!stopped) hear(added, false);
    },
  });
  const timer = setInterval(() => following.wake(), LOOK_MS);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
      following.stop();
      // What it still reads is heard by nobody.
      following.done.catch(() => {});
    },
  };
}
