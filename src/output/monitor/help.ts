import type { Theme } from '../terminal/theme.ts';
import { cell } from './cells.ts';

const LINES: readonly (readonly [string, string])[] = [
  ['↑ ↓ k j', 'choose a service; in the other panes a process, or a line'],
  ['Tab', 'the next pane (Shift-Tab: the one before); a dot marks it'],
  ['PgUp PgDn', 'scroll the log, or the processes while they are marked'],
  ['Home End g G', 'to its beginning and its end; at its end the log follows'],
  ['', ''],
  ['r', 'restart: all of it ends, with proof, then it starts'],
  ['s', 'stop, with proof; once more meanwhile: kill what is left'],
  ['t Enter', 'start, with what it depends on'],
  ['', ''],
  ['/', 'search the log (capitals count if there are any)'],
  ['n N', 'the next older, the next newer match'],
  ['f', 'only services whose name has a text'],
  ['Esc', 'take back the search, the filter, the scrolling'],
  ['', ''],
  ['q Ctrl-C', 'quit: services go on'],
  ['Ctrl-Z', 'suspend: fg comes back'],
  ['Ctrl-L', 'draw everything anew'],
  ['', ''],
  ['', 'CPU is of one core, over the last second; RST counts restarts.'],
  ['', 'The bars show the last minute; memory counts from its lowest on.'],
];

const KEYS = 14;

/** What the keys do, in so many lines. */
export function helpLines(columns: number, rows: number, theme: Theme): readonly string[] {
  const lines = LINES.map(([keys, what]) =>
    cell(`  ${theme.bold(keys)}${' '.repeat(Math.max(0, KEYS - keys.length))}${what}`, columns),
  );
  return Array.from({ length: rows }, (_, row) => lines[row - 1] ?? '');
}
