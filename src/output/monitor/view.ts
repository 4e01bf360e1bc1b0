import type { Observation } from '../../operations/status/observe.ts';
import { formatSize } from '../terminal/sizes.ts';
import type { Theme } from '../terminal/theme.ts';
import { displayWidth, printable } from '../terminal/width.ts';
import { bothEnds, cell, shortAge, shortShare } from './cells.ts';
import { helpLines } from './help.ts';
import { paneLayout, type Rectangle } from './layout.ts';
import { logPane } from './log-pane.ts';
import type { Model, Pane } from './model.ts';
import { processesPane } from './processes-pane.ts';
import { servicesPane } from './services-pane.ts';

const SHOW: Readonly<
  Record<Pane, (model: Model, theme: Theme, width: number, height: number) => readonly string[]>
> = { services: servicesPane, processes: processesPane, log: logPane };

/** The whole screen: exactly as many lines as it has rows, none wider than it. */
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
    const shown = SHOW[pane](model, theme, place.width, place.height);
    for (const [index, line] of shown.entries()) {
      const row = place.top + index;
      lines[row] = beside(lines[row] ?? '', line, place, theme);
    }
  }
  const { log } = panes;
  if (!log || log.left === 0) return lines;
  // The rule between the two halves goes down to the end.
  return lines.map((line, row) => {
    const isBetween = row >= log.top && row < log.top + log.height;
    return isBetween && displayWidth(line) < log.left ? beside(line, '', log, theme) : line;
  });
}

/** Puts a line of a pane behind what stands left of it. */
function beside(before: string, line: string, { left }: Rectangle, theme: Theme): string {
  return left === 0 ? line : `${cell(before, left - 2)}${theme.dim('│')} ${line}`;
}

function headerOf({ size, seen, title, filter }: Model, theme: Theme): string {
  const name = theme.bold(printable(title));
  if (!seen) return cell(name, size.columns);
  const { services, orphans, problems, supervisor, leases } = seen.status;
  const wanted = services.filter((service) => service.wanted);
  const up = wanted.filter(({ state, done }) => done || state === 'ready' || state === 'running');
  const uses = Object.values(seen.sample.services);
  const total = (of: (use: (typeof uses)[number]) => number): number =>
    uses.reduce((sum, use) => sum + of(use), 0);
  const count = `${up.length} of ${wanted.length} up`;
  const processes = total((use) => use.processes);
  const parts = [
    name,
    up.length < wanted.length ? theme.yellow(count) : theme.green(count),
    `${processes} process${processes === 1 ? '' : 'es'}`,
    formatSize(total((use) => use.memoryBytes)),
    `${shortShare(total((use) => use.cpuPercent))} cpu`,
    ...(orphans.length > 0
      ? [theme.red(`${orphans.length} orphan${orphans.length === 1 ? '' : 's'}`)]
      : []),
    ...(leases.length > 0 ? [leased(leases)] : []),
    ...(problems.length > 0 ? [theme.yellow('! devctl doctor')] : []),
    ...(filter === '' ? [] : [`filter: ${printable(filter)}`]),
  ];
  const held = supervisor ? theme.dim(`supervisor ${supervisor.pid}`) : theme.dim('no supervisor');
  const left = parts.join('   ');
  const fits = displayWidth(left) + GAP + displayWidth(held) <= size.columns;
  return bothEnds(left, fits ? held : '', size.columns);
}

/** How long all of it still runs: for as long as one of those lasts who asked for it. */
function leased(leases: Observation['status']['leases']): string {
  const times = leases.map(({ endsInMs }) => endsInMs);
  const longest = times.some((one) => one === null) ? null : Math.max(...times.map(Number));
  if (longest !== null) return `stops in ${shortAge(longest)}`;
  const pids = leases.flatMap(({ processes }) => processes.map(({ pid }) => pid));
  return `stops with pid ${pids.join(', ')}`;
}

/** The ones that are missed last come first. */
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
/** In which order they are shown. */
const ORDER = ['n N', '↑↓', 'Tab', 'r', 's', 't', '/', 'f', '?', 'q'];

/** What is being typed, else what was done, else what can be done. */
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
  return cell(hints(search !== '', columns, theme), columns);
}

/** As many as there is room for. */
function hints(isSearching: boolean, columns: number, theme: Theme): string {
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
