/** The most lines of a log that are quoted where a service has failed, and their most bytes, line ends included. */
export const QUOTED_LINES = 20;
export const QUOTED_BYTES = 8 * 1024;

const LEFT_OUT = '…';

/**
 * Keeps the end of some lines, up to so many bytes in UTF-8 with their line ends, because one line can be as long as a
 * log. A line whose beginning is left out begins with `…`.
 */
export function endOfLines(lines: readonly string[], bytes = QUOTED_BYTES): readonly string[] {
  const kept: string[] = [];
  let left = bytes;
  for (const line of lines.toReversed()) {
    const size = Buffer.byteLength(line) + 1;
    const room = left - Buffer.byteLength(LEFT_OUT) - 1;
    if (size <= left) kept.push(line);
    else if (room > 0) kept.push(`${LEFT_OUT}${endOfText(line, room)}`);
    if (size > left) break;
    left -= size;
  }
  return kept.reverse();
}

/** Keeps whole characters at the end of a text, up to so many bytes. */
function endOfText(text: string, bytes: number): string {
  const end = Buffer.from(text).subarray(-bytes);
  // UTF-8 marks the bytes behind the first one of a character with the bits 10 (RFC 3629).
  const begin = end.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return begin === -1 ? '' : end.subarray(begin).toString();
}
