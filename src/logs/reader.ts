import { createLineCutter, type LogLine } from './line-cutter.ts';
import type { LogExtent, LogSource } from './source.ts';
import { type LineTime, positionSince, timeOf } from './time-index.ts';

/** A line of one service's log, with its time as far as it is known. */
export interface ServiceLine extends LogLine {
  readonly service: string;
  readonly time: LineTime | null;
}

/** Which of what is there already is wanted. */
export interface LogRange {
  /** The last so many lines; null: all. */
  readonly lines: number | null;
  /** What may have been written at or after this: ms since the epoch. */
  readonly sinceMs: number | null;
  /** Nothing before this position. */
  readonly from?: number;
}

/** Reads one log: first what is there, then what comes. */
export interface LogReader {
  readonly service: string;
  /**
   * What is there now, oldest first.
   *
   * @param toEnd give out a last line without its end as well
   */
  history(wanted: LogRange, toEnd: boolean): Generator<ServiceLine>;
  /** Leaves out what is there now. */
  skip(): void;
  /**
   * What has come since, at most some of it.
   *
   * @param now ms since the epoch
   */
  next(now: number): { readonly lines: readonly ServiceLine[]; readonly more: boolean };
  /** A line without its end that has not grown for `ms`, or has had none for very long, as a progress bar. */
  flush(now: number, ms: number): ServiceLine | null;
  /** Is there a line without its end? */
  hasPartialLine(): boolean;
}

/** What grows all the time is shown as often: a progress bar, the dots of a test run. */
const SHOWN_EACH_MS = 2_000;
/** One for all reads, which are synchronous. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
const NEWLINE = 0x0a;
/** Of a log without line ends the last lines are its last part. */
const FARTHEST_BACK = 64 * 1024 * 1024;

export function readLog(source: LogSource): LogReader {
  const { service } = source;
  const cutter = createLineCutter();
  let position = 0;
  let file: string | null = null;
  let lookedAt = 0;
  let grewAt = 0;
  /** Since when there is something that has no line end. */
  let waitsSince: number | null = null;

  /** Is it still the log that was read so far? */
  const follow = (extent: LogExtent): void => {
    const isOther = file !== null && file !== extent.file;
    if (isOther || extent.to < position) {
      cutter.reset();
      waitsSince = null;
      position = extent.live;
    }
    if (file === null) position = extent.from;
    file = extent.file;
  };

  return {
    service,
    *history(wanted, toEnd) {
      const extent = source.extent();
      lookedAt = Date.now();
      grewAt = lookedAt;
      if (!extent) return;
      follow(extent);
      const marks = source.timeMarks();
      const noted = marks.at(-1)?.position ?? Number.NEGATIVE_INFINITY;
      const timed = (line: LogLine): ServiceLine => {
        const late = line.position >= noted;
        const time = late
          ? { atMs: extent.modifiedMs, withinMs: null }
          : timeOf(marks, line.position);
        return { ...line, service, time };
      };
      position = Math.max(
        wanted.from ?? extent.from,
        wanted.sinceMs === null ? extent.from : beginSince(source, extent, wanted.sinceMs),
        wanted.lines === null ? extent.from : beginOfLast(source, extent, wanted),
      );
      while (position < extent.to) {
        const room = buffer.subarray(0, Math.min(buffer.length, extent.to - position));
        const read = source.read(position, room);
        if (!read || read.position >= extent.to) break;
        position = read.position + read.bytes.length;
        for (const line of cutter.push(read.bytes, read.position)) yield timed(line);
      }
      const rest = toEnd ? cutter.flush() : null;
      waitsSince = cutter.bufferedBytes() > 0 ? lookedAt : null;
      if (rest) yield timed(rest);
    },
    skip() {
      const extent = source.extent();
      lookedAt = Date.now();
      if (!extent) return;
      file = extent.file;
      position = extent.to;
    },
    next(now) {
      const extent = source.extent();
      const before = lookedAt;
      lookedAt = now;
      if (!extent) return { lines: [], more: false };
      follow(extent);
      const read = position < extent.to ? source.read(position, buffer) : null;
      if (!read) return { lines: [], more: false };
      position = read.position + read.bytes.length;
      grewAt = now;
      const time = { atMs: now, withinMs: before === 0 ? null : Math.max(0, now - before) };
      const lines = cutter.push(read.bytes, read.position);
      if (lines.length > 0) waitsSince = null;
      if (cutter.bufferedBytes() > 0) waitsSince ??= now;
      return {
        lines: lines.map((line) => ({ ...line, service, time })),
        more: position < extent.to,
      };
    },
    flush(now, ms) {
      const isLong = waitsSince !== null && hasPassed(SHOWN_EACH_MS, waitsSince, now);
      if (cutter.bufferedBytes() === 0 || !(isLong || hasPassed(ms, grewAt, now))) return null;
      const line = cutter.flush();
      waitsSince = null;
      return line && { ...line, service, time: { atMs: grewAt, withinMs: null } };
    },
    hasPartialLine: () => cutter.bufferedBytes() > 0,
  };
}

/** A clock that was set back has nothing wait for it. */
function hasPassed(ms: number, sinceMs: number, nowMs: number): boolean {
  return nowMs < sinceMs || nowMs - sinceMs >= ms;
}

/** Where the line begins that may be the first to be as young. */
function beginSince(source: LogSource, extent: LogExtent, sinceMs: number): number {
  if (extent.modifiedMs < sinceMs) return extent.to;
  const noted = positionSince(source.timeMarks(), sinceMs);
  if (noted === null || noted <= extent.from) return extent.from;
  return behindNewline(source, extent.from, Math.min(noted, extent.to), 1);
}

/** Where the last `count` lines begin. */
function beginOfLast(source: LogSource, extent: LogExtent, wanted: LogRange): number {
  const { to } = extent;
  const count = wanted.lines ?? 0;
  const from = Math.max(extent.from, wanted.from ?? extent.from, to - FARTHEST_BACK);
  if (count === 0 || to <= from) return to;
  const last = source.read(to - 1, Buffer.alloc(1));
  // The line end at the very end of the log ends the last line, and begins none.
  return behindNewline(source, from, to, last?.bytes[0] === NEWLINE ? count + 1 : count);
}

/**
 * The position behind the last newline but so many before `to`; `from` where there are not as many. Read
 * from the end, so that it costs the same however long the log is.
 */
function behindNewline(source: LogSource, from: number, to: number, count: number): number {
  const block = Buffer.allocUnsafe(64 * 1024);
  let left = count;
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - block.length);
    const bytes = readWhole(source, start, block.subarray(0, end - start));
    for (let index = bytes.length - 1; index >= 0; index -= 1) {
      if (bytes[index] !== NEWLINE) continue;
      left -= 1;
      if (left === 0) return start + index + 1;
    }
    end = start;
  }
  return from;
}

/** Fills `into` from one position on, over the borders of files; what is gone by now counts as empty. */
function readWhole(source: LogSource, position: number, into: Buffer): Buffer {
  for (let filled = 0; filled < into.length; ) {
    const read = source.read(position + filled, into.subarray(filled));
    const skipped = read ? Math.min(read.position - position - filled, into.length - filled) : 0;
    if (!read || skipped > 0) into.fill(0, filled, read ? filled + skipped : into.length);
    filled = read ? filled + (skipped > 0 ? skipped : read.bytes.length) : into.length;
  }
  return into;
}

/** Of more than this, the end is shown where lines are quoted: one without an end may be longer than memory. */
const QUOTED_BYTES = 1024 * 1024;

/** The last lines behind one position, as they were written. */
export function lastLines(source: LogSource, count: number, position: number): readonly string[] {
  const from = Math.max(position, (source.extent()?.to ?? 0) - QUOTED_BYTES);
  const lines = [...readLog(source).history({ lines: count, sinceMs: null, from }, true)];
  return lines.slice(-count).map(({ text }) => text);
}

/** Several logs as one, by time; what has no time comes first, each service's lines in their order. */
export function* mergeByTime(
  logs: readonly Iterator<ServiceLine>[],
): Generator<ServiceLine, void, undefined> {
  const heads = logs.flatMap((log) => {
    const { value, done } = log.next();
    return done ? [] : [{ log, line: value as ServiceLine, sinceMs: timeIn(value) }];
  });
  while (heads.length > 0) {
    let first = 0;
    for (const [index, head] of heads.entries()) {
      if (head.sinceMs < (heads[first]?.sinceMs ?? Number.POSITIVE_INFINITY)) first = index;
    }
    const head = heads[first];
    if (!head) return;
    yield head.line;
    const { value, done } = head.log.next();
    if (done) heads.splice(first, 1);
    else {
      head.line = value;
      // A clock that was set back must not hold up what comes after it.
      head.sinceMs = Math.max(head.sinceMs, timeIn(value));
    }
  }
}

function timeIn({ time }: ServiceLine): number {
  return time?.atMs ?? Number.NEGATIVE_INFINITY;
}
