import { cleanLogText, finalText } from '../terminal/width.ts';
import type { LogEntry, LogView } from './model.ts';

/** A line as a log has it, carriage returns included. */
export interface NewLine {
  readonly text: string;
  /** True for the rest of a line of which a part was given out before. */
  readonly continues: boolean;
}

/** Most lines that can be scrolled back and searched. */
export const MOST_LINES = 2_000;
/** Most characters of a line, because no terminal is as wide. */
const MOST_CHARACTERS = 2_000;

export const EMPTY_LOG: LogView = { lines: [], end: null, found: null };

/** Adds lines to the log. The lines on the screen stay where they are. */
export function withLines(log: LogView, added: readonly NewLine[]): LogView {
  const all = [...log.lines];
  for (const { text, continues } of added.slice(-MOST_LINES)) {
    const last = all.at(-1);
    // A progress bar continues in its own line.
    const overwrites = continues && last !== undefined && text.includes('\r');
    if (overwrites) all.pop();
    const mark = continues && !overwrites ? '… ' : '';
    const line = `${mark}${finalText(text)}`.slice(0, MOST_CHARACTERS);
    const number = (last?.number ?? 0) + (overwrites ? 0 : 1);
    all.push({ number, text: line, plain: plainText(line) });
  }
  const lines = all.slice(-MOST_LINES);
  const oldest = lines[0]?.number ?? 0;
  const isGone = log.end !== null && log.end <= oldest;
  return { ...log, lines, end: isGone ? oldest + 1 : log.end };
}

function plainText(line: string): string {
  return cleanLogText(line, false).replaceAll('\t', TAB);
}

/** Spaces for a tab. Tab stops count from the edge of the screen, not of the pane. */
export const TAB = '    ';

/** Returns the lines on the screen, the newest last. */
export function linesShown({ lines, end }: LogView, height: number): readonly LogEntry[] {
  const to = end === null ? lines.length : lines.findLastIndex(({ number }) => number < end) + 1;
  return lines.slice(Math.max(0, to - height), Math.max(to, 0));
}

/** Counts the lines that are newer than those on the screen. */
export function linesBelow({ lines, end }: LogView): number {
  return end === null ? 0 : lines.filter(({ number }) => number >= end).length;
}

/**
 * Scrolls the log.
 *
 * @param by lines; negative: towards the older ones
 */
export function scrolled(log: LogView, by: number, height: number): LogView {
  const { lines } = log;
  const shown = linesShown(log, height);
  const oldest = lines[0]?.number ?? 0;
  const newest = (lines.at(-1)?.number ?? 0) + 1;
  const end = (shown.at(-1)?.number ?? 0) + 1 + by;
  // The oldest line never moves below the first line of the pane.
  const least = Math.min(newest, oldest + height);
  return end >= newest ? { ...log, end: null } : { ...log, end: Math.max(end, least) };
}

/**
 * Finds the next line with a text, from the match of the search, or else from the last line on the screen.
 * Letters match either case, unless `text` has a capital letter.
 *
 * @param way -1: towards the older lines
 * @returns null when there is none in this direction
 */
export function findLine(
  log: LogView,
  text: string,
  way: -1 | 1,
  height: number,
  again: boolean,
): LogView | null {
  if (text === '') return null;
  const { lines } = log;
  const last = linesShown(log, height).at(-1)?.number ?? 0;
  const from = log.found ?? last + (way < 0 ? 1 : 0);
  const isAhead = (number: number): boolean =>
    way < 0 ? number < from || (!again && number === from) : number > from;
  const isWanted = (line: LogEntry): boolean => isAhead(line.number) && matchesLine(line, text);
  const match = way < 0 ? lines.findLast(isWanted) : lines.find(isWanted);
  return match ? showMatch(log, match.number, height) : null;
}

function showMatch(log: LogView, found: number, height: number): LogView {
  const shown = linesShown(log, height);
  const isSeen = shown.some(({ number }) => number === found);
  if (isSeen) return { ...log, found, end: log.end ?? (shown.at(-1)?.number ?? 0) + 1 };
  // The match goes to the middle of the pane, with the lines around it.
  const newest = (log.lines.at(-1)?.number ?? 0) + 1;
  const oldest = log.lines[0]?.number ?? 0;
  const middle = found + 1 + Math.floor(height / 2);
  return { ...log, found, end: Math.min(newest, Math.max(middle, oldest + height)) };
}

export function matchesLine({ plain }: Pick<LogEntry, 'plain'>, text: string): boolean {
  return matchAt(plain, text) >= 0;
}

/** Finds a text in a line; -1 when it is not there. */
export function matchAt(plain: string, text: string): number {
  if (text === '') return -1;
  return text === text.toLowerCase() ? plain.toLowerCase().indexOf(text) : plain.indexOf(text);
}
