/**
 * Counts the terminal columns of a text: none for colour codes and combining marks, two for East Asian wide
 * characters and emoji, one for anything else.
 */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  const visible = text.replace(SEQUENCE, '');
  if (NARROW.test(visible)) return visible.length;
  let width = 0;
  for (const { segment } of graphemesOf(visible)) width += graphemeWidth(segment);
  return width;
}

/**
 * Cuts `text` to `columns`, the last one an ellipsis. It keeps all colour codes, also those behind the cut,
 * so that no colour is left open.
 *
 * @returns `text` itself when it fits
 */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 0) return '';
  let left = columns - 1;
  let isCut = false;
  let result = '';
  for (const part of text.split(COLOR_CODES)) {
    if (part.startsWith('\u001B')) {
      result += part;
      continue;
    }
    if (!isCut && NARROW.test(part)) {
      isCut = part.length > left;
      result += isCut ? `${part.slice(0, left)}…` : part;
      left -= part.length;
      continue;
    }
    for (const { segment } of isCut ? [] : graphemesOf(part)) {
      const width = graphemeWidth(segment);
      if (width > left) {
        result += '…';
        isCut = true;
        break;
      }
      left -= width;
      result += segment;
    }
  }
  return result;
}

/**
 * Puts a text from outside (a command line, a process name, a log line) on one line and makes every control
 * character visible, because a process may call itself anything, escape sequences included.
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\n') return '\\n';
    if (character === '\t') return ' ';
    return `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** Does the same as `printable`, line by line. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/**
 * Cleans a line of a log for readers of whole logs. Tabs stay. Sequences that move the cursor, clear lines
 * or set titles (npm and vite write them) are removed, where `printable` would show them as `\x1b[2K`.
 *
 * @param colors true keeps colours, which end with the line; false removes them too
 */
export function cleanLogText(line: string, colors: boolean): string {
  if (!CONTROL_BUT_TAB.test(line)) return line;
  let colored = false;
  const text = line.replace(SEQUENCE, (sequence) => {
    if (!colors || !COLOR_CODE.test(sequence)) return '';
    colored = true;
    return sequence;
  });
  const parts = text.split(COLOR_CODES);
  const shown = parts.map((part) =>
    COLOR_CODE.test(part) ? part : part.split('\t').map(printable).join('\t'),
  );
  return colored ? `${shown.join('')}\u001B[0m` : shown.join('');
}

/**
 * Returns the part of a line that a terminal shows in the end. A progress bar writes its line over and
 * over, with a carriage return before each time.
 */
export function finalText(text: string): string {
  if (!text.includes('\r')) return text;
  const parts = text.split('\r').filter((part) => part !== '');
  return parts.at(-1) ?? '';
}

function graphemeWidth(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0;
  if (EMOJI.test(grapheme)) return 2;
  return isWide(grapheme.codePointAt(0) ?? 0) ? 2 : 1;
}

/** True for the ranges of Unicode's EastAsianWidth.txt marked W or F; adjoining ranges are joined. */
function isWide(codePoint: number): boolean {
  return (
    codePoint >= 0x1100 && WIDE.some(([first, last]) => codePoint >= first && codePoint <= last)
  );
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x20000, 0x3fffd],
];

let segmenter: Intl.Segmenter | undefined;

/**
 * Splits a text into graphemes. The first call loads tables of Unicode, which takes 7 ms, so plain ASCII
 * never comes here.
 */
function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(text);
}

/** ASCII, and the characters of our own tables, trees and bars: all of them one column wide. */
const NARROW = /^[\x20-\x7E\u00B7\u2026\u2190-\u2193\u2500-\u259F\u25B8\u2713\u2717]*$/;
const ZERO_WIDTH = /^[\p{M}\p{Cc}\p{Cf}]+$/u;
const EMOJI = /\p{Emoji_Presentation}|\uFE0F/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with ESC
const COLOR_CODES = /(\u001B\[[\d;]*m)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g;
/** The same as CONTROL, without the tab. */
const CONTROL_BUT_TAB =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/;
/**
 * Whole escape sequences (ECMA-48): CSI, OSC with its end, the choice of a character set, and sequences of
 * one character.
 */
const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with ESC
  /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)|[()][A-Z0-9]|[=>78DEHMc])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with ESC
const COLOR_CODE = /^\u001B\[[\d;]*m$/;
