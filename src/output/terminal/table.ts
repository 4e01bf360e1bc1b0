import type { OutputStream, Paint } from './theme.ts';
import { displayWidth, truncate } from './width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** True when the column may be cut on a narrow terminal: command lines yes, pids no. */
  readonly shrink?: boolean;
}

/** Cells may hold colour codes. Text from outside goes through `printable` first. */
export type Row = readonly string[];

export interface TableLayout {
  /** Columns of the terminal; undefined for a pipe or a file, where nothing is ever cut. */
  readonly width?: number | undefined;
  readonly paintTitle?: Paint;
}

/** Finds the width for a table; undefined when the stream is no terminal, or a terminal of 0 columns. */
export function tableWidth(stream: Pick<OutputStream, 'isTTY' | 'columns'>): number | undefined {
  return stream.isTTY && stream.columns ? stream.columns : undefined;
}

/**
 * Renders columns two spaces apart, aligned by their visible width.
 *
 * @returns the titles, then the rows, without newlines and without trailing spaces
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly Row[],
  layout: TableLayout = {},
): string[] {
  const titles = columns.map(({ title }) => title);
  const natural = columns.map((_, index) =>
    [titles, ...rows].reduce((max, row) => Math.max(max, displayWidth(row[index] ?? '')), 0),
  );
  const widths = fitWidths(columns, natural, layout.width);
  const line = (row: Row, paint: Paint = (text) => text): string =>
    columns
      .map((column, index) => alignCell(row[index] ?? '', widths[index] ?? 0, column, paint))
      .join(GAP)
      .trimEnd();
  return [line(titles, layout.paintTitle), ...rows.map((row) => line(row))];
}

const GAP = '  ';
/**
 * Smallest width of a cut column, because a narrower one says nothing. The line may then be wider than the
 * terminal.
 */
const NARROWEST_COLUMN = 8;

/** Takes the missing columns from the shrinkable columns, the widest first. */
function fitWidths(
  columns: readonly Column[],
  natural: readonly number[],
  available: number | undefined,
): readonly number[] {
  if (available === undefined) return natural;
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  excess -= available;
  const shrinkable = columns
    .map((column, index) => ({ index, shrink: column.shrink === true }))
    .filter(({ shrink }) => shrink)
    .sort((a, b) => (natural[b.index] ?? 0) - (natural[a.index] ?? 0));
  for (const { index } of shrinkable) {
    const width = widths[index] ?? 0;
    const cut = Math.max(0, Math.min(excess, width - NARROWEST_COLUMN));
    widths[index] = width - cut;
    excess -= cut;
  }
  return widths;
}

function alignCell(cell: string, width: number, column: Column, paint: Paint): string {
  const text = truncate(cell, width);
  const padding = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return column.align === 'right' ? padding + paint(text) : paint(text) + padding;
}
