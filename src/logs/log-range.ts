import { createLineCutter, type LogLine } from './line-cutter.ts';
import type { LogExtent, LogSource } from './source.ts';
import { positionSince } from './time-index.ts';

/** The part of a log that a caller wants. */
export interface LogRange {
  /** Only this many lines, from the end; null: all lines. */
  readonly lines: number | null;
  /** Only lines that may have been written at or after this time, since the epoch, in ms; null: of any time. */
  readonly sinceMs: number | null;
  /** Only lines from this position on. */
  readonly from?: number;
  /** With `lines`: only lines count that this is true for. The others behind the first of them are given out as well. */
  readonly matches?: (text: string) => boolean;
}

const NEWLINE = 0x0a;
/** How far back from its end a log is searched for line ends, in bytes. */
const FARTHEST_BACK = 64 * 1024 * 1024;
/** Buffer for all reads, which are synchronous. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Finds the position at which a part of a log begins. */
export function beginOf(source: LogSource, extent: LogExtent, range: LogRange): number {
  return Math.max(
    range.from ?? extent.from,
    range.sinceMs === null ? extent.from : beginSince(source, extent, range.sinceMs),
    range.lines === null ? extent.from : beginOfLast(source, extent, range),
  );
}

/** Finds the beginning of the first line that may have been written at or after a time. */
function beginSince(source: LogSource, extent: LogExtent, sinceMs: number): number {
  const marks = source.timeMarks();
  // A line has the time of its mark, which is later than the file's wherever the clock of the file system lags behind.
  const isOld = (marks.at(-1)?.atMs ?? 0) < sinceMs;
  if (isOld && extent.modifiedMs < sinceMs) return extent.to;
  const position = positionSince(marks, sinceMs);
  if (position === null || position <= extent.from) return extent.from;
  return behindNewline(source, extent.from, Math.min(position, extent.to), 1);
}

/** Finds the beginning of the last `range.lines` lines. */
function beginOfLast(source: LogSource, extent: LogExtent, range: LogRange): number {
  const { to } = extent;
  const count = range.lines ?? 0;
  const oldest = Math.max(extent.from, range.from ?? extent.from);
  const from = Math.max(oldest, to - FARTHEST_BACK);
  if (count === 0 || to <= from) return to;
  if (range.matches) return beginOfMatching(source, oldest, to, count, range.matches);
  const last = source.read(to - 1, Buffer.alloc(1));
  // The line end at the very end of the log ends the last line, and begins none.
  return behindNewline(source, from, to, last?.bytes[0] === NEWLINE ? count + 1 : count);
}

/** The part at the end of a log that is searched first, in bytes. Each further one is four times as large. */
const FIRST_PART = 1024 * 1024;

/** Finds the beginning of the last `count` lines that match. It searches from the end, in parts that grow. */
function beginOfMatching(
  source: LogSource,
  oldest: number,
  to: number,
  count: number,
  matches: (text: string) => boolean,
): number {
  for (let size = FIRST_PART; ; size *= 4) {
    const isAll = to - size <= oldest;
    const from = isAll ? oldest : behindFirstNewline(source, to - size, to);
    const found = matchingLines(source, from, to, count, matches);
    if (found.length === count || isAll) return found[0] ?? to;
  }
}

/** Finds the positions of the last `count` lines between two positions that match. */
function matchingLines(
  source: LogSource,
  from: number,
  to: number,
  count: number,
  matches: (text: string) => boolean,
): readonly number[] {
  const cutter = createLineCutter();
  const found: number[] = [];
  const keep = (line: LogLine): void => {
    if (!matches(line.text)) return;
    found.push(line.position);
    if (found.length > count) found.shift();
  };
  for (let position = from; position < to; ) {
    const read = source.read(position, buffer.subarray(0, Math.min(buffer.length, to - position)));
    if (!read) break;
    position = read.position + read.bytes.length;
    for (const line of cutter.push(read.bytes, read.position)) keep(line);
  }
  const rest = cutter.flush();
  if (rest) keep(rest);
  return found;
}

/** Finds the beginning of the first line that begins behind a position; `to` when there is none. */
function behindFirstNewline(source: LogSource, from: number, to: number): number {
  for (let position = from; position < to; ) {
    const read = source.read(position, buffer.subarray(0, Math.min(buffer.length, to - position)));
    if (!read) break;
    const newline = read.bytes.indexOf(NEWLINE);
    if (newline !== -1) return read.position + newline + 1;
    position = read.position + read.bytes.length;
  }
  return to;
}

/**
 * Finds the position behind the newline that is number `count` before `to`; `from` when there are fewer. It
 * reads from the end, so that it costs the same however long the log is.
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

/** Fills `into` from one position on, across files. Bytes that are gone by now are read as zeros. */
function readWhole(source: LogSource, position: number, into: Buffer): Buffer {
  for (let filled = 0; filled < into.length; ) {
    const read = source.read(position + filled, into.subarray(filled));
    const skipped = read ? Math.min(read.position - position - filled, into.length - filled) : 0;
    if (!read || skipped > 0) into.fill(0, filled, read ? filled + skipped : into.length);
    filled = read ? filled + (skipped > 0 ? skipped : read.bytes.length) : into.length;
  }
  return into;
}
