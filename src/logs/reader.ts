import { createLineCutter, type LogLine } from './line-cutter.ts';
import { beginOf, type LogRange } from './log-range.ts';
import { endOfLines, QUOTED_BYTES } from './quote.ts';
import type { LogExtent, LogSource } from './source.ts';
import { type LineTime, timeOf } from './time-index.ts';

/** A line of one service's log, with its time as far as it is known. */
export interface ServiceLine extends LogLine {
  readonly service: string;
  readonly time: LineTime | null;
}

/** Reads one log: first the lines that are there, then new ones. */
export interface LogReader {
  readonly service: string;
  /**
   * Reads the lines that are there now, oldest first.
   *
   * @param toEnd true: gives out a last line without its line end as well
   */
  history(range: LogRange, toEnd: boolean): Generator<ServiceLine>;
  /** Leaves out the lines that are there now. */
  skip(): void;
  /**
   * Reads lines that have come since the last read, at most some of them.
   *
   * @param nowMs since the epoch
   * @returns `more`: there are further bytes to read
   */
  next(nowMs: number): { readonly lines: readonly ServiceLine[]; readonly more: boolean };
  /**
   * Gives out a line without its line end, if it has not grown for `ms`, or has been without for very long, as a
   * progress bar is.
   */
  flush(nowMs: number, ms: number): ServiceLine | null;
  /** Tells whether the last line read has no line end yet. */
  hasPartialLine(): boolean;
}

/** Time after which a line is shown although it still grows: a progress bar, the dots of a test run. */
const SHOWN_EACH_MS = 2_000;
/** Buffer for all reads, which are synchronous. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
const NEWLINE = 0x0a;
/** Opens a log for reading by lines. */
export function readLog(source: LogSource): LogReader {
  return new Reader(source);
}

class Reader implements LogReader {
  readonly service: string;
  readonly #source: LogSource;
  readonly #cutter = createLineCutter();
  /** Position behind the last byte that was read. */
  #position = 0;
  /** Key of the file that was read; null before the first read. */
  #file: string | null = null;
  #lookedAtMs = 0;
  #grewAtMs = 0;
  /** Since when the last line has no line end; null when it has one. */
  #partialSinceMs: number | null = null;

  constructor(source: LogSource) {
    this.service = source.service;
    this.#source = source;
  }

  *history(range: LogRange, toEnd: boolean): Generator<ServiceLine> {
    const extent = this.#source.extent();
    this.#lookedAtMs = Date.now();
    this.#grewAtMs = this.#lookedAtMs;
    if (!extent) return;
    this.#followFile(extent);
    const timed = this.#timing(extent);
    this.#position = beginOf(this.#source, extent, range);
    while (this.#position < extent.to) {
      const room = buffer.subarray(0, Math.min(buffer.length, extent.to - this.#position));
      const read = this.#source.read(this.#position, room);
      if (!read || read.position >= extent.to) break;
      this.#position = read.position + read.bytes.length;
      for (const line of this.#cutter.push(read.bytes, read.position)) yield timed(line);
    }
    const rest = toEnd ? this.#cutter.flush() : null;
    this.#partialSinceMs = this.hasPartialLine() ? this.#lookedAtMs : null;
    if (rest) yield timed(rest);
  }

  skip(): void {
    const extent = this.#source.extent();
    this.#lookedAtMs = Date.now();
    if (!extent) return;
    this.#file = extent.file;
    this.#position = extent.to;
  }

  next(nowMs: number): { readonly lines: readonly ServiceLine[]; readonly more: boolean } {
    const extent = this.#source.extent();
    const beforeMs = this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    if (!extent) return { lines: [], more: false };
    this.#followFile(extent);
    const read = this.#position < extent.to ? this.#source.read(this.#position, buffer) : null;
    if (!read) return { lines: [], more: false };
    this.#position = read.position + read.bytes.length;
    this.#grewAtMs = nowMs;
    const withinMs = beforeMs === 0 ? null : Math.max(0, nowMs - beforeMs);
    const time = { atMs: nowMs, withinMs };
    const lines = this.#cutter.push(read.bytes, read.position);
    if (lines.length > 0) this.#partialSinceMs = null;
    if (this.hasPartialLine()) this.#partialSinceMs ??= nowMs;
    const { service } = this;
    return {
      lines: lines.map((line) => withTime(line, service, time)),
      more: this.#position < extent.to,
    };
  }

  flush(nowMs: number, ms: number): ServiceLine | null {
    const sinceMs = this.#partialSinceMs;
    const isLong = sinceMs !== null && hasPassed(SHOWN_EACH_MS, sinceMs, nowMs);
    if (!this.hasPartialLine() || !(isLong || hasPassed(ms, this.#grewAtMs, nowMs))) return null;
    const line = this.#cutter.flush();
    this.#partialSinceMs = null;
    const time = { atMs: this.#grewAtMs, withinMs: null };
    return line && withTime(line, this.service, time);
  }

  hasPartialLine(): boolean {
    return this.#cutter.bufferedBytes() > 0;
  }

  /** Begins with the log anew if another file has its name now, or if the file was emptied. */
  #followFile(extent: LogExtent): void {
    const isOther = this.#file !== null && this.#file !== extent.file;
    if (isOther || extent.to < this.#position) {
      this.#cutter.reset();
      this.#partialSinceMs = null;
      this.#position = extent.live;
    }
    if (this.#file === null) this.#position = extent.from;
    this.#file = extent.file;
  }

  /** Builds the function that adds to a line the time at which it was written. */
  #timing(extent: LogExtent): (line: LogLine) => ServiceLine {
    const { service } = this;
    const marks = this.#source.timeMarks();
    const lastMark = marks.at(-1)?.position ?? Number.NEGATIVE_INFINITY;
    const behindMarks = { atMs: extent.modifiedMs, withinMs: null };
    return (line) => {
      const time = line.position >= lastMark ? behindMarks : timeOf(marks, line.position);
      return withTime(line, service, time);
    };
  }
}

/** Written out, because a spread takes ten times as long, and a log has millions of lines. */
function withTime(
  { text, position, continues, partial }: LogLine,
  service: string,
  time: LineTime | null,
): ServiceLine {
  return { text, position, continues, partial, service, time };
}

/** Tells whether a time has passed. It has as well when the clock was set back, so that nothing waits for the clock. */
function hasPassed(ms: number, sinceMs: number, nowMs: number): boolean {
  return nowMs < sinceMs || nowMs - sinceMs >= ms;
}

/**
 * Reads the last `count` lines behind a position, as they were written, but no more than 8 KB. A line whose beginning is
 * left out begins with `…`.
 */
export function lastLines(source: LogSource, count: number, position: number): readonly string[] {
  const from = Math.max(position, (source.extent()?.to ?? 0) - QUOTED_BYTES);
  const lines = [...readLog(source).history({ lines: count, sinceMs: null, from }, true)];
  const before = from > position ? source.read(from - 1, Buffer.alloc(1)) : null;
  const isCut = before !== null && before.bytes[0] !== NEWLINE;
  const texts = lines
    .slice(-count)
    .map((line) =>
      isCut && line.position === from ? `…${line.text.replace(/^\uFFFD{1,3}/, '')}` : line.text,
    );
  // A byte that is no text becomes three, and so the mark of what is left out.
  return endOfLines(texts);
}

/** Merges several logs by time. Lines without a time come first, and each service's lines keep their order. */
export function* mergeByTime(
  logs: readonly Iterator<ServiceLine>[],
): Generator<ServiceLine, void, undefined> {
  const heads = logs.flatMap((log) => {
    const { value, done } = log.next();
    return done ? [] : [{ log, line: value as ServiceLine, sinceMs: timeIn(value) }];
  });
  while (heads.length > 0) {
    let first = 0;
    let sinceMs = Number.POSITIVE_INFINITY;
    for (let index = 0; index < heads.length; index += 1) {
      const at = heads[index]?.sinceMs ?? sinceMs;
      if (at < sinceMs) [first, sinceMs] = [index, at];
    }
    const head = heads[first];
    if (!head) return;
    yield head.line;
    const { value, done } = head.log.next();
    if (done) heads.splice(first, 1);
    else {
      head.line = value;
      // A clock that was set back must not delay the lines after it.
      head.sinceMs = Math.max(head.sinceMs, timeIn(value));
    }
  }
}

function timeIn({ time }: ServiceLine): number {
  return time?.atMs ?? Number.NEGATIVE_INFINITY;
}
