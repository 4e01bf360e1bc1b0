/**
 * The length of a log at one time. The supervisor adds a time mark whenever a log has grown, so that its
 * lines have times.
 *
 * Positions count the bytes that were ever written to the log, so that they stay the same when its
 * beginning moves to another file. The first byte of the file itself is at `LogLayout.base`.
 */
export interface TimeMark {
  /** Position behind the last byte of the log. */
  readonly position: number;
  /** Since the epoch, in ms. */
  readonly atMs: number;
  /**
   * The bytes between the mark before this one and `position` were written within this many ms before
   * `atMs`. Null when nobody looked at the log in that time.
   */
  readonly withinMs: number | null;
}

/** Where the bytes of a log are. The process that rotates the log keeps it on disk. */
export interface LogLayout {
  /** Key of the file that it describes (`fileKey`). */
  readonly file: string;
  /** Position of the first byte of the file. */
  readonly base: number;
  /** Position of the first byte that is still in the file: all bytes before it were moved away. */
  readonly start: number;
  /** While bytes are being moved away: the bytes from `start` up to here may be in the file or not. Else null. */
  readonly moving: number | null;
}

/** The time at which a line was written, as far as it is known. */
export interface LineTime {
  /** The latest time at which it was written, since the epoch, in ms. */
  readonly atMs: number;
  /** It was written within this many ms before `atMs`; null when unknown. */
  readonly withinMs: number | null;
}

/** Returns the layout of a file that was never rotated. */
function unmoved(file: string): LogLayout {
  return { file, base: 0, start: 0, moving: null };
}

/**
 * Finds the layout of a log of this size.
 *
 * @param known the last recorded layout, of whichever file
 */
export function layoutOf(known: LogLayout | null, file: string, size: number): LogLayout {
  if (known?.file !== file) return unmoved(file);
  // Somebody has emptied the file, hole and all. New bytes follow the bytes that are gone.
  const isCut = known.moving === null && size < known.start - known.base;
  return isCut ? { ...known, base: known.start } : known;
}

/** Formats the first line of a time index, which names the file that it describes. */
export function formatTimeIndexHeader(file: string): string {
  return `file ${file}\n`;
}

export function formatTimeMark({ position, atMs, withinMs }: TimeMark): string {
  return `${position} ${atMs} ${withinMs ?? '-'}\n`;
}

/** Parses a time index. A malformed line is left out, because a full disk may have cut it off. */
export function parseTimeMarks(text: string): {
  readonly file: string | null;
  readonly marks: readonly TimeMark[];
} {
  const [first = '', ...rest] = text.split('\n');
  const file = first.startsWith('file ') ? first.slice('file '.length) : null;
  const marks: TimeMark[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const line of rest) {
    const [, position, atMs, withinMs] = /^(\d+) (\d+) (\d+|-)$/.exec(line) ?? [];
    if (position === undefined || Number(position) <= last) continue;
    last = Number(position);
    marks.push({
      position: last,
      atMs: Number(atMs),
      withinMs: withinMs === '-' ? null : Number(withinMs),
    });
  }
  return { file, marks };
}

/**
 * Thins a time index: halves the older marks, which may be less exact, and drops the marks of bytes that are
 * gone.
 *
 * @param firstPosition position of the first byte that is kept
 */
export function thinTimeMarks(
  marks: readonly TimeMark[],
  firstPosition: number,
): readonly TimeMark[] {
  const kept = marks.filter(({ position }) => position > firstPosition);
  const half = Math.floor(kept.length / 2);
  const thin: TimeMark[] = [];
  let skipped: TimeMark | null = null;
  for (const mark of kept.slice(0, half)) {
    if (skipped === null) {
      skipped = mark;
      continue;
    }
    thin.push(merged(skipped, mark));
    skipped = null;
  }
  return [...thin, ...(skipped ? [skipped] : []), ...kept.slice(half)];
}

/** Merges two marks in a row into one, which spans the time of both. */
function merged(one: TimeMark, next: TimeMark): TimeMark {
  const atMs = Math.max(one.atMs, next.atMs);
  const isKnown = one.withinMs !== null && next.withinMs !== null;
  const began = Math.min(one.atMs - (one.withinMs ?? 0), next.atMs - (next.withinMs ?? 0));
  return { position: next.position, atMs, withinMs: isKnown ? atMs - began : null };
}

/** Finds the time at which the byte at `position` was written; null when no mark covers it. */
export function timeOf(marks: readonly TimeMark[], position: number): LineTime | null {
  const found = marks[firstBeyond(marks, position)];
  return found ? { atMs: found.atMs, withinMs: found.withinMs } : null;
}

/**
 * Finds the position behind which every byte lies that may have been written at or after a time. Null when
 * that may be any byte.
 */
export function positionSince(marks: readonly TimeMark[], sinceMs: number): number | null {
  const index = marks.findIndex(({ atMs }) => atMs >= sinceMs);
  if (index === -1) return marks.at(-1)?.position ?? null;
  return index === 0 ? null : (marks[index - 1]?.position ?? null);
}

/** Finds the index of the first mark that reaches beyond a position. */
function firstBeyond(marks: readonly TimeMark[], position: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
