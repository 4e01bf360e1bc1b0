/** A line of a log, or a part of a line. */
export interface LogLine {
  /** As it was written, colours and returns included, without its line end. */
  readonly text: string;
  /** Position of its first byte. */
  readonly position: number;
  /** True when the part before it in the same line was given out already. */
  readonly continues: boolean;
  /** True when its line end has not been seen. */
  readonly partial: boolean;
}

/** Cuts the bytes of a log into lines. */
export interface LineCutter {
  /** Takes the next bytes, and gives out the lines that they complete. */
  push(bytes: Buffer, position: number): readonly LogLine[];
  /** Gives out the last line although it has no line end yet; null when there is none. */
  flush(): LogLine | null;
  /** Returns how many bytes wait for their line end. */
  bufferedBytes(): number;
  /** Forgets the bytes that wait, because the log begins anew. */
  reset(): void;
}

/** Longest part of a line in bytes: a longer line is given out in parts, so that it cannot fill the memory. */
const LONGEST_PART = 4 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Creates a line cutter. */
export function createLineCutter(longestPart = LONGEST_PART): LineCutter {
  return new Cutter(longestPart);
}

class Cutter implements LineCutter {
  readonly #longestPart: number;
  /** The bytes that wait for their line end. */
  #parts: Buffer[] = [];
  #buffered = 0;
  /** Position of the first byte that waits. */
  #begin = 0;
  #continues = false;

  constructor(longestPart: number) {
    this.#longestPart = longestPart;
  }

  push(bytes: Buffer, position: number): readonly LogLine[] {
    const lines: LogLine[] = [];
    let at = 0;
    while (at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline === -1 ? bytes.length : newline;
      if (this.#buffered === 0) this.#begin = position + at;
      if (this.#buffered === 0 && newline !== -1) {
        // Nearly every line comes whole, in one read.
        lines.push(this.#wholeLine(textOf(bytes, at, end)));
      } else {
        this.#keep(bytes.subarray(at, end));
        if (newline !== -1) lines.push(this.#take(false));
        else if (this.#buffered >= this.#longestPart) lines.push(this.#take(true));
      }
      at = end + 1;
    }
    return lines;
  }

  flush(): LogLine | null {
    if (this.#buffered === 0) return null;
    const line = this.#take(true);
    // No text: only the beginning of a character is there.
    return line.text === '' ? null : line;
  }

  bufferedBytes(): number {
    return this.#buffered;
  }

  reset(): void {
    this.#parts = [];
    this.#buffered = 0;
    this.#continues = false;
  }

  #wholeLine(text: string): LogLine {
    const line = { text, position: this.#begin, continues: this.#continues, partial: false };
    this.#continues = false;
    return line;
  }

  /** Keeps a copy of bytes, because the caller reads into the same memory again. */
  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(Buffer.from(bytes));
    this.#buffered += bytes.length;
  }

  /** Gives out the bytes that wait, except the beginning of a character whose rest is still to come. */
  #take(partial: boolean): LogLine {
    const [first] = this.#parts;
    const bytes = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts);
    const whole = partial ? lastWholeCharacter(bytes) : bytes.length;
    const rest = bytes.subarray(whole);
    const line = {
      text: bytes.toString('utf8', 0, whole).replace(/\r+$/, partial ? '$&' : ''),
      position: this.#begin,
      continues: this.#continues,
      partial,
    };
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
    this.#begin += whole;
    this.#continues = partial;
    return line;
  }
}

/** Decodes a line without the returns at its end, which belong to the line end. */
function textOf(bytes: Buffer, from: number, to: number): string {
  let end = to;
  while (end > from && bytes[end - 1] === RETURN) end -= 1;
  return bytes.toString('utf8', from, end);
}

/** Finds the end of the last character that is there as a whole (UTF-8, RFC 3629). */
function lastWholeCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
