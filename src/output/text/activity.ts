import { DEVCTL } from '../../own-command.ts';
import type { ActivityReport, Period, ServiceActivity } from '../../report/model.ts';
import { formatDateAndClock, formatMoment } from '../terminal/clock.ts';
import { formatDuration } from '../terminal/durations.ts';
import { formatSize } from '../terminal/sizes.ts';
import { sparkline } from '../terminal/sparkline.ts';
import { tableWidth } from '../terminal/table.ts';
import { type Theme, themeFor } from '../terminal/theme.ts';
import { printable } from '../terminal/width.ts';
import { containersStopLines } from './stop.ts';
import {
  branchSize,
  breachSentence,
  countInWords,
  formatPercent,
  formatPeriod,
  growthTime,
  headline,
  leftInWords,
  proofInWords,
  stateInWords,
} from './words.ts';

/** Prints a report for people at a terminal: the answer first, then its parts. */
export function printActivity(report: ActivityReport, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const sections = [
    verdictLines(report, theme),
    serviceLines(report, theme),
    restartLines(report, theme),
    breachLines(report, theme),
    lastStopLines(report, theme),
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  process.stdout.write(`${text.join('\n\n')}\n`);
  const notes = themeFor(process.stderr, color);
  for (const problem of report.problems) {
    process.stderr.write(`${notes.yellow('!')} ${printable(problem)}\n`);
  }
  if (report.earlier) {
    const { fromMs, breaches: count } = report.earlier;
    const also = count > 0 ? `, with ${countInWords(count, 'limit breach', 'limit breaches')}` : '';
    const since = formatDateAndClock(fromMs).replace(' ', 'T');
    process.stderr.write(
      `! there is history before that${also}: ${DEVCTL} report --since ${since}\n`,
    );
  }
}

function verdictLines(report: ActivityReport, theme: Theme): readonly string[] {
  const { grew } = report.verdict;
  const left = leftInWords(report);
  const { at, since } = growthTime(report);
  const paint = { good: theme.green, bad: theme.red, calm: theme.cyan }[left.tone];
  const title = printable(headline(report));
  const line = (name: string, text: string): string => `${theme.dim(name.padEnd(8))} ${text}`;
  const branch = grew?.because;
  const because =
    grew && branch
      ? [`${printable(branch.command)} (${branchSize(branch, grew.service)})`]
      : grew
        ? ['not known']
        : [];
  return [
    theme.bold(grew?.limit != null ? theme.red(title) : title),
    ...(report.period
      ? [line('when', [at, since].filter((part) => part !== null).join(', '))]
      : []),
    ...because.map((text) => line('because', text)),
    line('left now', `${paint(left.short)} (${printable(left.detail)})`),
  ];
}

/** Columns of the numbers beside a sparkline, and columns of a sparkline where there is no terminal. */
const NUMBERS = 60;
const PIPED = 30;

/** Finds the columns of sparklines, so that no line wraps. */
function sparkColumns(): number {
  const width = tableWidth(process.stdout);
  return width === undefined ? PIPED : Math.max(8, Math.min(2 * PIPED, width - NUMBERS));
}

function serviceLines(report: ActivityReport, theme: Theme): readonly string[] {
  const { services: all, period } = report;
  if (!period || all.length === 0) return [];
  return [
    theme.dim(formatPeriod(period.fromMs, period.untilMs)),
    ...all.flatMap((service) => [
      aboutService(service, report, theme),
      ...usage(service, 'processes', String, period, theme),
      ...usage(service, 'memoryBytes', formatSize, period, theme),
      ...usage(service, 'cpuPercent', formatPercent, period, theme),
    ]),
  ];
}

function aboutService(service: ServiceActivity, report: ActivityReport, theme: Theme): string {
  const { name, state, upMs, restarts: some } = service;
  const isBad = state === 'failed' || state === 'unhealthy';
  const isBlocked = service.trouble?.kind === 'blocked';
  const paint = !isBad ? (text: string) => text : isBlocked ? theme.yellow : theme.red;
  const count = countInWords(some.length, 'restart', 'restarts');
  const again = some.length > 0 ? `, ${theme.yellow(count)}` : '';
  const up = state === null ? '' : `, up ${formatDuration(upMs)}`;
  return `${theme.bold(printable(name))}  ${paint(printable(stateInWords(service, report)))}${up}${again}`;
}

const MEASURES = { processes: 'processes', memoryBytes: 'memory', cpuPercent: 'cpu' } as const;

function usage(
  service: ServiceActivity,
  field: keyof typeof MEASURES,
  show: (value: number) => string,
  period: Period,
  theme: Theme,
): readonly string[] {
  const { peak, last } = service;
  if (!peak) return [];
  const { value, atMs } = peak[field];
  const most = `${theme.dim('peak')} ${show(value).padStart(8)} ${theme.dim(`at ${formatMoment(atMs, period)}`)}`;
  const now = last ? `  ${theme.dim('last')} ${show(last[field])}` : '';
  const line = theme.cyan(sparklineOf(service, field, period));
  return [`  ${theme.dim(MEASURES[field].padEnd(9))} ${line}  ${most}${now}`];
}

/** Draws the timeline over the whole period, so that the sparklines of all services line up. */
function sparklineOf(
  { timeline }: ServiceActivity,
  field: keyof typeof MEASURES,
  { fromMs, untilMs }: Period,
): string {
  const columns = sparkColumns();
  const slots: (number | null)[] = Array.from({ length: columns }, () => null);
  const slotAt = (atMs: number): number =>
    Math.min(columns - 1, Math.floor(((atMs - fromMs) / Math.max(1, untilMs - fromMs)) * columns));
  for (const piece of timeline) {
    for (const [index, point] of piece.entries()) {
      // A sample counts until the next one, because a quiet project has few samples.
      const until = piece[index + 1] ? slotAt(piece[index + 1]?.atMs ?? 0) - 1 : slotAt(point.atMs);
      for (let slot = slotAt(point.atMs); slot <= Math.max(until, slotAt(point.atMs)); slot += 1) {
        slots[slot] = Math.max(slots[slot] ?? 0, point[field]);
      }
    }
  }
  return sparkline(slots, { low: 0, high: Math.max(...slots.map((value) => value ?? 0)) });
}

/** Most entries of a list, so that it fits on a screen; --json has all of them. */
const MOST_LISTED = 10;

function earlierLine(all: number): readonly string[] {
  const more = all - MOST_LISTED;
  return more > 0 ? [`… ${more} earlier ones (--json has them all)`] : [];
}

function lastLines(lines: readonly string[]): readonly string[] {
  return [...earlierLine(lines.length), ...lines.slice(-MOST_LISTED)];
}

function restartLines({ services: all, period }: ActivityReport, theme: Theme): readonly string[] {
  if (!period) return [];
  const rows = all
    .flatMap(({ name, restarts: some }) => some.map((restart) => ({ name, ...restart })))
    .sort((a, b) => a.atMs - b.atMs)
    .map(
      ({ name, atMs, reason }) =>
        `${formatMoment(atMs, period)} ${printable(name)}: ${printable(reason)}`,
    );
  return rows.length > 0 ? [theme.bold('Restarts'), ...lastLines(rows)] : [];
}

function breachLines({ breaches: all, period }: ActivityReport, theme: Theme): readonly string[] {
  if (!period || all.length === 0) return [];
  return [
    theme.bold('Limits exceeded'),
    ...earlierLine(all.length),
    ...all
      .slice(-MOST_LISTED)
      .flatMap((breach) => [
        `${formatMoment(breach.atMs, period)} ${printable(breachSentence(breach))}`,
        ...(breach.branch
          ? [
              `         ${theme.dim('grew:')} ${printable(breach.branch.command)} (${branchSize(breach.branch, breach.service)})`,
            ]
          : []),
      ]),
  ];
}

function lastStopLines({ lastStop: stop }: ActivityReport, theme: Theme): readonly string[] {
  if (!stop) return [];
  const { processes, survivors, tookMs, at } = stop;
  const killed = processes.filter(({ endedBy }) => endedBy === 'SIGKILL').length;
  const mark = survivors.length > 0 || stop.containers?.left ? theme.red('✗') : theme.green('✓');
  const began = Date.parse(at);
  const time = Number.isNaN(began) ? at : formatDateAndClock(began);
  const of = stop.scope === null ? '' : ` of ${stop.scope.join(', ')}`;
  const kind = stop.forced ? 'forced ' : '';
  const rest = killed > 0 ? `, ${killed} by SIGKILL` : '';
  const alive = survivors
    .slice(0, MOST_LISTED)
    .map(
      ({ pid, command, why }) => `  alive: pid ${pid}: ${printable(command)}: ${printable(why)}`,
    );
  const more = survivors.length - alive.length;
  return [
    theme.bold('The last stop'),
    `${mark} ${printable(time)}, ${kind}stop${printable(of)}: ${countInWords(processes.length, 'process', 'processes')} ended in ${formatDuration(tookMs)}${rest}`,
    ...(stop.why === null ? [] : [`  because ${printable(stop.why)}`]),
    `  ${printable(proofInWords(stop))}`,
    ...(stop.containers
      ? containersStopLines(stop.containers, theme).map((line) => `  ${line}`)
      : []),
    ...alive,
    ...(more > 0 ? [`  … and ${more} more (--json has them all)`] : []),
  ];
}
