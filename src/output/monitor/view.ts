import type { Observation } from '../../operations/status/observe.ts';
import { DEVCTL } from '../../own-command.ts';
import { formatSize } from '../terminal/sizes.ts';
import type { Theme } from '../terminal/theme.ts';
import { displayWidth, printable } from '../terminal/width.ts';
import { bothEnds, cell, shortAge, shortShare } from './cells.ts';
import { paneLayout, type Rectangle } from './layout.ts';
import { logPane } from './log-pane.ts';
import type { Model, Pane } from './model.ts';
import { processesPane } from './processes-pane.ts';
import { servicesPane } from './services-pane.ts';

const PANE_VIEWS: Readonly<
  Record<Pane, (model: Model, theme: Theme, width: number, height: number) => readonly string[]>
> = { services: servicesPane, processes: processesPane, log: logPane };

/** Draws the whole screen: exactly as many lines as it has rows, and none wider than the screen. */
export function frameOf(model: Model, theme: Theme): readonly string[] {
  const { columns, rows } = model.size;
  const { header, footer, panes } = paneLayout(model);
  const lines: string[] = Array.from({ length: rows }, () => '');
  if (header) lines[0] = headerOf(model, theme);
  if (footer) lines[rows - 1] = footerOf(model, theme);
  if (model.help) {
    const room = Math.max(0, rows - (header ? 1 : 0) - (footer ? 1 : 0));
    const help = helpLines(columns, room, theme);
    return lines.map((line, row) => help[row - 1] ?? line);
  }
  for (const [pane, place] of Object.entries(panes) as [Pane, Rectangle][]) {
    const shown = PANE_VIEWS[pane](model, theme, place.width, place.height);
    for (const [index, line] of shown.entries()) {
      const row = place.top + index;
      lines[row] = appendPaneLine(lines[row] ?? '', line, place, theme);
    }
  }
  const { log } = panes;
  if (!log || log.left === 0) return lines;
  // The line between the two halves goes down to the end.
  return lines.map((line, row) => {
    const isBetween = row >= log.top && row < log.top + log.height;
    return isBetween && displayWidth(line) < log.left ? appendPaneLine(line, '', log, theme) : line;
  });
}

/** Appends a line of a pane to the pane on its left. */
function appendPaneLine(before: string, line: string, { left }: Rectangle, theme: Theme): string {
  return left === 0 ? line : `${cell(before, left - 2)}${theme.dim('│')} ${line}`;
}

function headerOf({ size, seen, title, filter }: Model, theme: Theme): string {
  const name = theme.bold(printable(title));
  if (!seen) return cell(name, size.columns);
  const { services, orphans, problems, supervisor, leases, containers } = seen.status;
  const wanted = services.filter((service) => service.wanted);
  const up = wanted.filter(({ state, done }) => done || state === 'ready' || state === 'running');
  const uses = Object.values(seen.sample.services);
  const total = (of: (use: (typeof uses)[number]) => number): number =>
    uses.reduce((sum, use) => sum + of(use), 0);
  const count = `${up.length} of ${wanted.length} up`;
  const processes = total((use) => use.processes);
  const partsWith = (ownCommand: string): readonly string[] => [
    name,
    up.length < wanted.length ? theme.yellow(count) : theme.green(count),
    `${processes} process${processes === 1 ? '' : 'es'}`,
    formatSize(total((use) => use.memoryBytes)),
    `${shortShare(total((use) => use.cpuPercent))} cpu`,
    ...(orphans.length > 0
      ? [theme.red(`${orphans.length} orphan${orphans.length === 1 ? '' : 's'}`)]
      : []),
    ...(containers ? [containersInWords(containers, theme)] : []),
    ...(leases.length > 0 ? [leaseInWords(leases)] : []),
    ...(problems.length > 0 ? [theme.yellow(`! ${ownCommand} doctor`)] : []),
    ...(filter === '' ? [] : [`filter: ${printable(filter)}`]),
  ];
  const held = supervisor ? theme.dim(`supervisor ${supervisor.pid}`) : theme.dim('no supervisor');
  const whole = partsWith(DEVCTL).join('   ');
  // A command that is cut is of no use; its short name says at least which one to look up.
  const left = displayWidth(whole) <= size.columns ? whole : partsWith('devctl').join('   ');
  const fits = displayWidth(left) + GAP + displayWidth(held) <= size.columns;
  return bothEnds(left, fits ? held : '', size.columns);
}

function containersInWords(
  { list, healthy, ageMs, why }: NonNullable<Observation['status']['containers']>,
  theme: Theme,
): string {
  const up = list.filter(({ state, health }) => state === 'running' && health !== 'unhealthy');
  const count = `${up.length} of ${list.length} containers up`;
  if (why !== null)
    return theme.yellow(ageMs > 0 ? `${count} ${shortAge(ageMs)} ago` : 'containers: not known');
  return healthy ? theme.green(count) : theme.yellow(count);
}

/** Describes for how long everything runs: as long as the longest lease. */
function leaseInWords(leases: Observation['status']['leases']): string {
  const times = leases.map(({ endsInMs }) => endsInMs);
  const longest = times.some((one) => one === null) ? null : Math.max(...times.map(Number));
  if (longest !== null) return `stops in ${shortAge(longest)}`;
  const pids = leases.flatMap(({ processes }) => processes.map(({ pid }) => pid));
  return `stops with pid ${pids.join(', ')}`;
}

/**
 * The keys for the footer. The most important keys come first, because the last ones go when there is too
 * little room.
 */
const KEYS = [
  ['?', 'help'],
  ['q', 'quit'],
  ['r', 'restart'],
  ['s', 'stop'],
  ['t', 'start'],
  ['/', 'search'],
  ['↑↓', 'choose'],
  ['Tab', 'pane'],
  ['f', 'filter'],
] as const;
/** The order in which the footer shows the keys. */
const ORDER = ['n N', '↑↓', 'Tab', 'r', 's', 't', '/', 'f', '?', 'q'];

/** Draws the footer: the text that is being typed, or else the message, or else the keys. */
function footerOf({ size, typing, message, actions, search }: Model, theme: Theme): string {
  const { columns } = size;
  if (typing) {
    const cursor = theme.enabled ? theme.reverse(' ') : '_';
    const label = typing.of === 'search' ? '/' : 'filter: ';
    return cell(`${theme.cyan(label)}${printable(typing.text)}${cursor}`, columns);
  }
  if (message) {
    const isOver = message.untilMs !== null;
    const [mark, paint] = !message.good
      ? ['✗', theme.red]
      : isOver
        ? ['✓', theme.green]
        : ['…', theme.yellow];
    const waiting = actions.slice(1).map(({ verb, service }) => `${verb} ${service}`);
    const then = waiting.length > 0 ? theme.dim(`then: ${printable(waiting.join(', '))}`) : '';
    return bothEnds(`${paint(mark)} ${printable(message.text)}`, then, columns);
  }
  return cell(keyHints(search !== '', columns, theme), columns);
}

/** Lists as many keys as there is room for. */
function keyHints(isSearching: boolean, columns: number, theme: Theme): string {
  const shown: { readonly key: string; readonly text: string }[] = [];
  let room = columns + GAP;
  for (const [key, what] of [...(isSearching ? [['n N', 'next'] as const] : []), ...KEYS]) {
    room -= key.length + 1 + what.length + GAP;
    if (room < 0) break;
    shown.push({ key, text: `${key} ${theme.dim(what)}` });
  }
  const sorted = shown.sort((a, b) => ORDER.indexOf(a.key) - ORDER.indexOf(b.key));
  return sorted.map(({ text }) => text).join(' '.repeat(GAP));
}

const GAP = 2;

/** Explains the keys, in exactly `rows` lines. */
function helpLines(columns: number, rows: number, theme: Theme): readonly string[] {
  const lines = HELP.map(([keys, what]) =>
    cell(
      `  ${theme.bold(keys)}${' '.repeat(Math.max(0, KEYS_WIDTH - keys.length))}${what}`,
      columns,
    ),
  );
  return Array.from({ length: rows }, (_, row) => lines[row - 1] ?? '');
}

const HELP: readonly (readonly [string, string])[] = [
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

/** Width of the column of keys. */
const KEYS_WIDTH = 14;
