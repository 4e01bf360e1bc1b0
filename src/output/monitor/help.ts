import type { Theme } from '../theme.ts';
import { cell } from './cells.ts';

const LINES: readonly (readonly [string, string])[] = [
  ['↑ ↓ k j', 'choose a service; in the other panes: a process, a line of the log'],
  ['Tab', 'the next pane (Shift-Tab: the one before); a dot marks it'],
  ['PgUp PgDn', 'scroll the log, from the processes pane: the processes'],
  ['Home End g G', 'to the beginning and to the end; at its end the log follows'],
  ['', ''],
  ['r', 'restart the service: all of it ends, with proof, then it starts'],
  ['s', 'stop it, with proof; once more while it stops: kill what is left'],
  ['t Enter', 'start it, and what it depends on'],
  ['', ''],
  ['/', 'search in the log (capitals count once there is one); n N: older, newer'],
  ['f', 'only services whose name has a text'],
  ['Esc', 'take back the search, the filter, the scrolling'],
  ['', ''],
  ['q Ctrl-C', 'quit: services go on'],
  ['Ctrl-Z', 'suspend: fg comes back'],
  ['Ctrl-L', 'draw everything anew'],
  ['', ''],
  ['', 'CPU is of one core, over the last second; RST counts restarts.'],
  ['', 'The bars are a second each; memory counts from its lowest on.'],
];

const KEYS = 14;

/** What the keys do, in so many lines. */
export function helpLines(columns: number, rows: number, theme: Theme): readonly string[] {
  const lines = LINES.map(([keys, what]) =>
    cell(`  ${theme.bold(keys)}${' '.repeat(Math.max(0, KEYS - keys.length))}${what}`, columns),
  );
  return Array.from({ length: rows }, (_, row) => lines[row - 1] ?? '');
}
