/**
 * When a log was how long: beside each log the supervisor notes the time whenever the log has grown.
 *
 * Positions count the bytes that were ever written to the log, so that they stay the same when its
 * beginning moves to another file: the first byte of the file itself is at `LogMap.base`.
 */
export interface TimeMark {
  /** The log reached up to here. */
  readonly position: number;
  /** At this time: ms since the epoch. */
  readonly atMs: number;
  /**
   * So many ms before, it did not yet reach beyond the note before this one: what lies between the two was
   * written in that time. Null where nobody was looking.
   */
  readonly withinMs: number | null;
}

/** Where the bytes of a log are, kept by whoever rotates it. */
export interface LogLayout {
  /** Of the file that this speaks of. */
  readonly file: string;
  /** Position of the first byte of the file. */
  readonly base: number;
  /** Position of the first byte that is still in it: what is before was moved away. */
  readonly start: number;
  /** Something is being moved away: up to here it may be in the file or not. */
  readonly moving: number | null;
}

/** The time of a line, as far as it is known. */
export interface LineTime {
  /** Not later than this: ms since the epoch. */
  readonly atMs: number;
  /** And not more than so long before it; null where that is not known. */
  readonly withinMs: number | null;
}

/** Of a file that was never rotated. */
function unmoved(file: string): LogLayout {
  return { file, base: 0, start: 0, moving: null };
}

/**
 * Where the bytes of a log of this size are.
 *
 * @param known what was written down last, of whichever file
 */
export function layoutOf(known: LogLayout | null, file: string, size: number): LogLayout {
  if (known?.file !== file) return unmoved(file);
  // Somebody has emptied it, hole and all: what is written from then on follows what is gone.
  const isCut = known.moving === null && size < known.start - known.base;
  return isCut ? { ...known, base: known.start } : known;
}

/** The first line of the marks tells of which file they are. */
export function formatTimeIndexHeader(file: string): string {
  return `file ${file}\n`;
}

export function formatTimeMark({ position, atMs, withinMs }: TimeMark): string {
  return `${position} ${atMs} ${withinMs ?? '-'}\n`;
}

/** What cannot be read is left out: a line that was cut off by a full disk must not cost the others. */
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

/** Half of the older marks, and none of what is gone: marks of one second are enough for yesterday. */
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
    thin.push(together(skipped, mark));
    skipped = null;
  }
  return [...thin, ...(skipped ? [skipped] : []), ...kept.slice(half)];
}

/** One note for the bytes of two: the time from the earliest to the latest that either knows. */
function together(one: TimeMark, next: TimeMark): TimeMark {
  const atMs = Math.max(one.atMs, next.atMs);
  const isKnown = one.withinMs !== null && next.withinMs !== null;
  const began = Math.min(one.atMs - (one.withinMs ?? 0), next.atMs - (next.withinMs ?? 0));
  return { position: next.position, atMs, withinMs: isKnown ? atMs - began : null };
}

/** When the byte at `position` was written; null where nobody has noted it. */
export function timeOf(marks: readonly TimeMark[], position: number): LineTime | null {
  const found = marks[firstBeyond(marks, position)];
  return found ? { atMs: found.atMs, withinMs: found.withinMs } : null;
}

/** Where what was written at or after a time begins: all that may be as young is behind it. */
export function positionSince(marks: readonly TimeMark[], sinceMs: number): number | null {
  const index = marks.findIndex(({ atMs }) => atMs >= sinceMs);
  if (index === -1) return marks.at(-1)?.position ?? null;
  return index === 0 ? null : (marks[index - 1]?.position ?? null);
}

/** The first note that reaches beyond a position. */
function firstBeyond(marks: readonly TimeMark[], position: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
