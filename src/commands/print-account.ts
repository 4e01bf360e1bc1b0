import type { Account, Period, ServiceAccount } from '../account/account.ts';
import { formatClock, formatDateAndClock } from '../output/clock.ts';
import { formatDuration } from '../output/durations.ts';
import { sparkline } from '../output/monitor/sparkline.ts';
import {
  branchSize,
  breachInWords,
  counted,
  headline,
  leftInWords,
  percent,
  proofInWords,
  span,
  when,
} from '../output/report/words.ts';
import { formatSize } from '../output/sizes.ts';
import { type Theme, themeFor } from '../output/theme.ts';
import { printable } from '../output/width.ts';

/** An account for people at a terminal: the answer first, then what it is made of. */
export function printAccount(account: Account, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const sections = [
    verdict(account, theme),
    services(account, theme),
    restarts(account, theme),
    breaches(account, theme),
    lastStop(account, theme),
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  process.stdout.write(`${text.join('\n\n')}\n`);
  const notes = themeFor(process.stderr, color);
  for (const problem of account.problems) {
    process.stderr.write(`${notes.yellow('!')} ${printable(problem)}\n`);
  }
  if (account.earlier) {
    const { fromMs, breaches: count } = account.earlier;
    const also = count > 0 ? `, with ${counted(count, 'limit breach', 'limit breaches')}` : '';
    const since = formatDateAndClock(fromMs).replace(' ', 'T');
    process.stderr.write(`! there is history before that${also}: devctl report --since ${since}\n`);
  }
}

function verdict(account: Account, theme: Theme): readonly string[] {
  const { grew } = account.verdict;
  const left = leftInWords(account);
  const { at, since } = when(account);
  const paint = { good: theme.green, bad: theme.red, calm: theme.cyan }[left.tone];
  const title = printable(headline(account));
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
    ...(account.period
      ? [line('when', [at, since].filter((part) => part !== null).join(', '))]
      : []),
    ...because.map((text) => line('because', text)),
    line('left now', `${paint(left.short)} (${printable(left.detail)})`),
  ];
}

/** So many columns have the sparklines: with the numbers beside them they fit on 80. */
const SPARK = 30;

function services({ services: all, period }: Account, theme: Theme): readonly string[] {
  if (!period || all.length === 0) return [];
  return [
    theme.dim(span(period.fromMs, period.untilMs)),
    ...all.flatMap((service) => [
      about(service, theme),
      ...usage(service, 'processes', String, period, theme),
      ...usage(service, 'memoryBytes', formatSize, period, theme),
      ...usage(service, 'cpuPercent', percent, period, theme),
    ]),
  ];
}

function about({ name, state, upMs, restarts: some }: ServiceAccount, theme: Theme): string {
  if (state === null) return `${theme.bold(printable(name))}  ${theme.dim('state not known')}`;
  const paint = state === 'failed' || state === 'unhealthy' ? theme.red : (text: string) => text;
  const count = counted(some.length, 'restart', 'restarts');
  const again = some.length > 0 ? `, ${theme.yellow(count)}` : '';
  const now = paint(state === 'idle' ? 'stopped' : state);
  return `${theme.bold(printable(name))}  ${now}, up ${formatDuration(upMs)}${again}`;
}

const MEASURES = { processes: 'processes', memoryBytes: 'memory', cpuPercent: 'cpu' } as const;

function usage(
  service: ServiceAccount,
  field: keyof typeof MEASURES,
  show: (value: number) => string,
  period: Period,
  theme: Theme,
): readonly string[] {
  const { peak, last } = service;
  if (!peak) return [];
  const { value, atMs } = peak[field];
  const most = `${theme.dim('peak')} ${show(value).padStart(8)} ${theme.dim(`at ${formatClock(atMs)}`)}`;
  const now = last ? `  ${theme.dim('last')} ${show(last[field])}` : '';
  const line = theme.cyan(spark(service, field, period));
  return [`  ${theme.dim(MEASURES[field].padEnd(9))} ${line}  ${most}${now}`];
}

/** Its timeline over the whole period, so that those of all services can be read below each other. */
function spark(
  { timeline }: ServiceAccount,
  field: keyof typeof MEASURES,
  { fromMs, untilMs }: Period,
): string {
  const slots: (number | null)[] = Array.from({ length: SPARK }, () => null);
  const slotAt = (atMs: number): number =>
    Math.min(SPARK - 1, Math.floor(((atMs - fromMs) / Math.max(1, untilMs - fromMs)) * SPARK));
  for (const piece of timeline) {
    for (const [index, point] of piece.entries()) {
      // A sample counts until the next one: while nothing moves there are few.
      const until = piece[index + 1] ? slotAt(piece[index + 1]?.atMs ?? 0) - 1 : slotAt(point.atMs);
      for (let slot = slotAt(point.atMs); slot <= Math.max(until, slotAt(point.atMs)); slot += 1) {
        slots[slot] = Math.max(slots[slot] ?? 0, point[field]);
      }
    }
  }
  return sparkline(slots, SPARK, { low: 0, high: Math.max(...slots.map((value) => value ?? 0)) });
}

function restarts({ services: all }: Account, theme: Theme): readonly string[] {
  const rows = all
    .flatMap(({ name, restarts: some }) => some.map((restart) => ({ name, ...restart })))
    .sort((a, b) => a.atMs - b.atMs)
    .map(
      ({ name, atMs, reason }) => `${formatClock(atMs)} ${printable(name)}: ${printable(reason)}`,
    );
  return rows.length > 0 ? [theme.bold('Restarts'), ...rows] : [];
}

function breaches({ breaches: all }: Account, theme: Theme): readonly string[] {
  if (all.length === 0) return [];
  return [
    theme.bold('Limits exceeded'),
    ...all.flatMap((breach) => [
      `${formatClock(breach.atMs)} ${printable(breachInWords(breach))}`,
      ...(breach.branch
        ? [
            `         ${theme.dim('grew:')} ${printable(breach.branch.command)} (${branchSize(breach.branch, breach.service)})`,
          ]
        : []),
    ]),
  ];
}

/** As many as fit on a screen; the page and --json have all of them. */
const MOST_LISTED = 10;

function lastStop({ lastStop: stop }: Account, theme: Theme): readonly string[] {
  if (!stop) return [];
  const { processes, survivors, tookMs, at } = stop;
  const killed = processes.filter(({ endedBy }) => endedBy === 'SIGKILL').length;
  const mark = survivors.length > 0 ? theme.red('✗') : theme.green('✓');
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
    `${mark} ${printable(time)}, ${kind}stop${printable(of)}: ${counted(processes.length, 'process', 'processes')} ended in ${formatDuration(tookMs)}${rest}`,
    ...(stop.why === null ? [] : [`  because ${printable(stop.why)}`]),
    `  ${printable(proofInWords(stop))}`,
    ...alive,
    ...(more > 0 ? [`  … and ${more} more (--json has them all)`] : []),
  ];
}
