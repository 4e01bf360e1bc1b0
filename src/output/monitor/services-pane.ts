import type { Sample } from '../../history/samples.ts';
import { DEVCTL } from '../../own-command.ts';
import { paintState } from '../terminal/service-state.ts';
import { formatSize } from '../terminal/sizes.ts';
import { cpuRange, lastMinute, memoryRange, sparkline } from '../terminal/sparkline.ts';
import type { Theme } from '../terminal/theme.ts';
import { displayWidth, printable } from '../terminal/width.ts';
import { actionInWords } from './actions.ts';
import { cell, shortAge, shortShare } from './cells.ts';
import { type Model, type ServiceRow, serviceRows } from './model.ts';
import { visibleRows } from './pane.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  /** When there is too little room, the column with the lowest priority goes first. */
  readonly priority: number;
  /**
   * Formats the cell of a service.
   *
   * @param spark columns for a sparkline
   */
  show(row: ServiceRow, spark: number): string;
  /** True when a sparkline stands beside the figure. */
  readonly spark?: boolean;
}

const GAP = 2;
const NARROWEST_NAME = 6;
/** Columns in which most names can be recognised. */
const WIDE_NAME = 12;
const SPARK = { least: 4, most: 30 };

/** Draws the list of services: a title, then a line for each service, with the chosen one in view. */
export function servicesPane(
  model: Model,
  theme: Theme,
  width: number,
  height: number,
): readonly string[] {
  const rows = serviceRows(model);
  const { columns, spark, name } = fitColumns(columnsOf(model, rows, theme), rows, width);
  const line = (marker: string, first: string, cells: readonly string[]): string =>
    cell(`${marker} ${[cell(first, name), ...cells].join(' '.repeat(GAP))}`, width);
  const widthOf = (column: Column): number =>
    column.width + (column.spark && spark > 0 ? spark + 1 : 0);
  const titles = columns.map((column) => cell(column.title, widthOf(column), column.align));
  const isHere = model.pane === 'services';
  const title = theme.dim(line(isHere ? '·' : ' ', 'SERVICE', titles));
  const at = rows.findIndex((row) => row.name === model.chosen);
  const shown = visibleRows(rows, at, height - 1).map((row) => {
    const isChosen = row.name === model.chosen;
    const marker = isChosen ? theme.cyan('▸') : ' ';
    const short = bothEndsOf(printable(row.name), name);
    const label = isChosen ? theme.bold(short) : short;
    const [first] = columns;
    if (row.processes === 0 && row.reason !== null && !row.done && first) {
      // Nothing runs that could be measured, so there is room for the reason.
      const state = cell(first.show(row, spark), first.width);
      return line(marker, label, [state, theme.dim(printable(row.reason))]);
    }
    const cells = columns.map((column) =>
      cell(column.show(row, spark), widthOf(column), column.align),
    );
    return line(marker, label, cells);
  });
  if (rows.length === 0) shown.push(cell(theme.dim(`  ${emptyListText(model)}`), width));
  return [title, ...shown].slice(0, height);
}

/**
 * Shortens a name in its middle, because names that begin alike (`packages-web-api`, `packages-web-app`)
 * often differ at their end.
 */
function bothEndsOf(text: string, width: number): string {
  if (displayWidth(text) <= width || width < 3) return text;
  const tail = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(-tail)}`;
}

function emptyListText({ seen, filter }: Model): string {
  if (!seen) return 'looking …';
  return filter === ''
    ? `no services: ${DEVCTL} start begins them`
    : `no service matches "${printable(filter)}"`;
}

function columnsOf(
  { samples, seen, actions }: Model,
  rows: readonly ServiceRow[],
  theme: Theme,
): readonly Column[] {
  const used =
    ({ name }: ServiceRow, what: 'cpuPercent' | 'memoryBytes') =>
    ({ services }: Sample): number | null =>
      services[name]?.[what] ?? null;
  const latest = (name: string) => seen?.sample.services[name];
  const [action] = actions;
  const state = (row: ServiceRow): string =>
    action?.service === row.name
      ? theme.yellow(actionInWords(action).split(' ')[0] ?? '')
      : paintState(row, theme);
  const stateWidth = rows.reduce((most, row) => Math.max(most, displayWidth(state(row))), 7);
  const right = 'right' as const;
  const some = ({ processes }: ServiceRow): boolean => processes > 0;
  const pidWidth = rows.reduce((most, { pid }) => Math.max(most, String(pid ?? '').length), 5);
  return [
    { title: 'STATE', width: stateWidth, align: 'left', priority: 9, show: state },
    {
      title: 'PID',
      width: pidWidth,
      align: right,
      priority: 4,
      show: ({ pid }) => String(pid ?? '-'),
    },
    {
      title: 'AGE',
      width: 6,
      align: right,
      priority: 6,
      show: ({ uptimeMs }) => (uptimeMs === null ? '-' : shortAge(uptimeMs)),
    },
    {
      title: 'RST',
      width: 3,
      align: right,
      priority: 3,
      show: ({ restarts }) => (restarts > 0 ? theme.yellow(String(restarts)) : '0'),
    },
    {
      title: 'PROCS',
      width: 5,
      align: right,
      priority: 5,
      show: ({ processes, orphans }) =>
        orphans > 0 ? theme.red(String(processes)) : String(processes),
    },
    {
      title: 'CPU',
      width: 6,
      align: right,
      priority: 8,
      spark: true,
      show(row, spark) {
        const figure = some(row) ? shortShare(latest(row.name)?.cpuPercent ?? 0) : '-';
        if (spark === 0) return figure;
        const values = lastMinute(samples, spark, used(row, 'cpuPercent'));
        return `${theme.cyan(sparkline(values, cpuRange(values)))} ${cell(figure, 6, right)}`;
      },
    },
    {
      title: 'MEMORY',
      width: 9,
      align: right,
      priority: 7,
      spark: true,
      show(row, spark) {
        const figure = some(row) ? formatSize(row.rssBytes) : '-';
        if (spark === 0) return figure;
        const values = lastMinute(samples, spark, used(row, 'memoryBytes'));
        return `${theme.cyan(sparkline(values, memoryRange(values)))} ${cell(figure, 9, right)}`;
      },
    },
  ];
}

/** Fits the columns to the width: the figures first, then the names; the sparklines get the rest. */
function fitColumns(all: readonly Column[], rows: readonly ServiceRow[], width: number) {
  const longest = rows.reduce((most, { name }) => Math.max(most, displayWidth(name)), 7);
  let columns = [...all];
  const room = (): number =>
    width - GAP - columns.reduce((sum, column) => sum + column.width + GAP, 0);
  while (columns.length > 0 && room() < Math.min(longest, NARROWEST_NAME)) {
    const least = columns.reduce((worst, one) => (one.priority < worst.priority ? one : worst));
    columns = columns.filter((column) => column !== least);
  }
  const sparks = columns.filter(({ spark }) => spark).length;
  // A long name is cut before the sparklines are left out.
  const forSparks = room() - sparks * (SPARK.least + 1);
  const uncut = Math.max(0, Math.min(longest, room()));
  const name = forSparks >= Math.min(longest, WIDE_NAME) ? Math.min(longest, forSparks) : uncut;
  const each = sparks === 0 ? 0 : Math.floor((room() - name) / sparks) - 1;
  const spark = each < SPARK.least ? 0 : Math.min(SPARK.most, each);
  return { columns, spark, name };
}
