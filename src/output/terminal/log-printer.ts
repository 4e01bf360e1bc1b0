import { formatDateAndClock } from './clock.ts';
import { createTheme } from './theme.ts';
import { cleanLogText, displayWidth } from './width.ts';

/** A line to print. */
export interface PrintedLine {
  readonly service: string;
  readonly text: string;
  /** ms since the epoch; null when unknown. */
  readonly atMs: number | null;
  /** True when the line may have been written much earlier than `atMs`. */
  readonly vague: boolean;
  /** True for the rest of a line of which a part was printed before. */
  readonly continues: boolean;
}

export interface LogLook {
  readonly color: boolean;
  readonly prefix: boolean;
  readonly times: boolean;
}

/** Formats the lines of several services for one terminal: `web    | text`. */
export interface LogPrinter {
  /** Makes the column of names wide enough for these names. */
  widen(names: readonly string[]): void;
  /** Formats one line, with its newline. */
  format(line: PrintedLine): string;
  /** Formats a line of devctl's own, with its newline. */
  note(name: string, text: string): string;
}

/** Colours of names, in the order of their use. Red is missing, because it stands for failures. */
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

/** Formats a time in local time, always with the same width. `~` marks a line that may be much older. */
function formatTime(atMs: number | null, vague: boolean): string {
  if (atMs === null) return `${'-'.padEnd(23)} `;
  const ms = String(new Date(atMs).getMilliseconds()).padStart(3, '0');
  return `${formatDateAndClock(atMs)}.${ms}${vague ? '~' : ' '}`;
}
