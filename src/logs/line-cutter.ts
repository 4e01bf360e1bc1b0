/** A line of a log, or a part of one. */
export interface LogLine {
  /** As it was written, colours and returns included, without its line end. */
  readonly text: string;
  /** Of its first byte. */
  readonly position: number;
  /** What is before it in its line was given out already. */
  readonly continues: boolean;
  /** Its line end has not been seen. */
  readonly partial: boolean;
}

/** Cuts what is read from a log into lines. */
export interface LineCutter {
  /** Takes the next bytes, and gives out the lines that they complete. */
  push(bytes: Buffer, position: number): readonly LogLine[];
  /** Gives out what is there of a line that has no end yet; null where there is nothing. */
  flush(): LogLine | null;
  /** How many bytes wait for their line end. */
  bufferedBytes(): number;
  /** Forgets them: the log begins anew. */
  reset(): void;
}

/** A longer line is given out in parts: one without an end must not fill the memory. */
const LONGEST_PART = 4 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export function createLineCutter(longestPart = LONGEST_PART): LineCutter {
  let parts: Buffer[] = [];
  let held = 0;
  let begin = 0;
  let continues = false;

  const take = (partial: boolean): LogLine => {
    const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    // A part must not end within a character: its rest goes to the next one.
    const whole = partial ? lastWholeCharacter(bytes) : bytes.length;
    const rest = bytes.subarray(whole);
    const line = {
      text: bytes.toString('utf8', 0, whole).replace(/\r+$/, partial ? '$&' : ''),
      position: begin,
      continues,
      partial,
    };
    parts = rest.length > 0 ? [rest] : [];
    held = rest.length;
    begin += whole;
    continues = partial;
    return line;
  };

  return {
    push(bytes, position) {
      const lines: LogLine[] = [];
      let at = 0;
      while (at < bytes.length) {
        const newline = bytes.indexOf(NEWLINE, at);
        const end = newline === -1 ? bytes.length : newline;
        if (held === 0) begin = position + at;
        if (held === 0 && newline !== -1) {
          // Nearly all lines: whole, and read in one piece.
          lines.push({ text: textOf(bytes, at, end), position: begin, continues, partial: false });
          continues = false;
          at = end + 1;
          continue;
        }
        if (end > at) {
          // Copied: whoever reads uses the same memory again.
          parts.push(Buffer.from(bytes.subarray(at, end)));
          held += end - at;
        }
        at = end + 1;
        if (newline !== -1) lines.push(take(false));
        else if (held >= longestPart) lines.push(take(true));
      }
      return lines;
    },
    flush: () => (held > 0 ? takeSome(take) : null),
    bufferedBytes: () => held,
    reset() {
      parts = [];
      held = 0;
      continues = false;
    },
  };
}

/** Without the returns at its end, which belong to the line end. */
function textOf(bytes: Buffer, from: number, to: number): string {
  let end = to;
  while (end > from && bytes[end - 1] === RETURN) end -= 1;
  return bytes.toString('utf8', from, end);
}

/** Nothing is given out of a character of which only the beginning is there. */
function takeSome(take: (partial: boolean) => LogLine): LogLine | null {
  const line = take(true);
  return line.text === '' ? null : line;
}

/** Where the last character ends that is there as a whole: UTF-8, RFC 3629. */
function lastWholeCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
