import { formatDateAndClock } from './clock.ts';
import { createTheme } from './theme.ts';
import { cleanLogText, displayWidth } from './width.ts';

/** A line as a command has it: text, and what is known of it. */
export interface PrintedLine {
  readonly service: string;
  readonly text: string;
  /** ms since the epoch; null where it is not known. */
  readonly atMs: number | null;
  /** May it have been written much earlier than that? */
  readonly vague: boolean;
  /** Is it the rest of a line of which a part was printed before? */
  readonly continues: boolean;
}

export interface LogLook {
  readonly color: boolean;
  readonly prefix: boolean;
  readonly times: boolean;
}

/** How lines of several services look beside each other: `web    | text`. */
export interface LogPrinter {
  /** From now on there is room for these names. */
  widen(names: readonly string[]): void;
  /** One line, with its newline. */
  format(line: PrintedLine): string;
  /** A line of devctl's own. */
  note(name: string, text: string): string;
}

/** Colours of names, one after the other; none is red, which is for failures. */
const COLORS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

export function createLogPrinter({ color, prefix, times }: LogLook): LogPrinter {
  const theme = createTheme(color);
  const colors = new Map<string, number>();
  let width = 0;

  const paint = (name: string, text: string): string => {
    if (!color) return text;
    if (!colors.has(name)) colors.set(name, COLORS[colors.size % COLORS.length] ?? 36);
    return `\u001B[${colors.get(name)}m${text}\u001B[39m`;
  };
  const padded = (name: string): string =>
    name + ' '.repeat(Math.max(0, width - displayWidth(name)));

  return {
    widen(names) {
      for (const name of names) {
        width = Math.max(width, displayWidth(name));
        paint(name, '');
      }
    },
    format({ service, text, atMs, vague, continues }) {
      const time = times ? `${theme.dim(formatTime(atMs, vague))} ` : '';
      const name = prefix ? `${paint(service, `${padded(service)} |`)} ` : '';
      const mark = continues ? theme.dim('… ') : '';
      return `${time}${name}${mark}${cleanLogText(text, color)}\n`;
    },
    note: (name, text) => `${theme.dim(`${padded(name)} |`)} ${text}\n`,
  };
}

/** In local time, always as wide. `~`: it may have been written much earlier. */
function formatTime(atMs: number | null, vague: boolean): string {
  if (atMs === null) return `${'-'.padEnd(23)} `;
  const ms = String(new Date(atMs).getMilliseconds()).padStart(3, '0');
  return `${formatDateAndClock(atMs)}.${ms}${vague ? '~' : ' '}`;
}
