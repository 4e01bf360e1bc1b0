import type { ContainersStop } from '../../containers/report.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Evidence } from '../../ownership/evidence-kinds.ts';
import type { Capabilities } from '../../processes/capabilities.ts';
import type { ReportedProcess, StopReport } from '../../stopping/report.ts';
import { formatDuration } from '../terminal/durations.ts';
import { formatPort } from '../terminal/port.ts';
import { renderTable, tableWidth } from '../terminal/table.ts';
import { type Theme, themeFor } from '../terminal/theme.ts';
import { printable } from '../terminal/width.ts';
import { legendOf } from './evidence.ts';

/**
 * Prints a stop for people: the stopped services, what was found on the way, and the proof.
 *
 * @param why true: a dry run also says why each process is ours
 * @param verbose true: also each process, and how the processes were found, held and ended
 */
export function printStopReport(
  report: StopReport,
  color: boolean | undefined,
  stream: NodeJS.WriteStream = process.stdout,
  { why = false, verbose = false }: { readonly why?: boolean; readonly verbose?: boolean } = {},
): void {
  const out = themeFor(stream, color);
  const write = (line: string): void => {
    stream.write(`${line}\n`);
  };
  if (report.kind === 'dry-run') {
    printDryRun(report, out, why);
    return;
  }

  for (const { name, outcome, processes, leaderPid, tookMs } of report.services) {
    if (outcome === 'was-not-running') continue;
    const good = outcome === 'stopped';
    const killed = report.processes.filter(
      ({ service, endedBy }) => service === name && endedBy === 'SIGKILL',
    ).length;
    const count = `${processes} process${processes === 1 ? '' : 'es'}${killed > 0 ? `, ${killed} killed after the grace period` : ''}`;
    const ended =
      processes === 0
        ? `had ${leaderPid === null ? 'not begun' : 'ended already'}`
        : `stopped in ${formatDuration(tookMs)} (${count})`;
    const what = good ? ended : 'SURVIVED, see below';
    write(`${good ? out.green('✓') : out.red('✗')} ${name}: ${what}`);
  }
  for (const line of unrecordedInWords(report)) write(`${out.green('✓')} ${line}`);
  const others = report.processes.filter(({ service }) => service === null);
  if (others.length > 0) {
    const end = verbose ? '' : ':';
    write(`${out.green('✓')} ended ${others.length} more that no service record names${end}`);
  }
  const shown = verbose ? report.processes : others.slice(0, MOST_OTHERS);
  if (shown.length > 0) for (const line of processTable(shown, true)) write(`  ${line}`);
  const more = verbose ? 0 : others.length - shown.length;
  if (more > 0) write(`  … and ${more} more (--verbose has them all)`);
  for (const line of outsideInWords(report)) write(`  ${line}`);
  if (report.survivors.length > 0) {
    write(out.red(`${report.survivors.length} still alive:`));
    for (const { pid, command, why } of report.survivors)
      write(`  pid ${pid}: ${command}: ${printable(why)}`);
  }
  for (const line of report.containers ? containersStopLines(report.containers, out) : [])
    write(line);
  printNotes(report, color);
  if ((report.forced || verbose) && report.processes.length > 0)
    write(meansInWords(report.processes));
  const { services, processes } = report;
  // Where the proof is complete, the means of it are of no interest.
  const isOfInterest = verbose || report.proof.strength !== 'complete';
  if (services.length + processes.length > 0 && isOfInterest)
    write(out.dim(`held by: ${capabilitiesInWords(report.capabilities)}`));
  write(verdict(report, out));
}

/** Most lines about processes that no record names. */
const MOST_OTHERS = 10;

/** Most lines about processes outside of sessions. */
const MOST_OUTSIDE = 10;

/**
 * Names the processes that left the session of their service and were ended all the same: a daemon among them may have
 * served others. Equal commands share a line.
 */
function outsideInWords({ processes }: StopReport): readonly string[] {
  const pids = new Map<string, number[]>();
  for (const { outside, endedAfterMs, service, command, pid } of processes) {
    if (!outside || endedAfterMs === null) continue;
    const line = `${service}: ${command}`;
    pids.set(line, [...(pids.get(line) ?? []), pid]);
  }
  if (pids.size === 0) return [];
  const lines = [...pids].slice(0, MOST_OUTSIDE).map(([line, [first, ...more]]) => {
    const count =
      more.length === 0 ? `pid ${first}` : `${more.length + 1} processes, pid ${first} …`;
    return `ended outside of its session: ${line} (${count})`;
  });
  const more = pids.size - lines.length;
  return more > 0 ? [...lines, `… and ${more} more commands (--verbose has them all)`] : lines;
}

/** Describes services without a record, whose processes say themselves to which service they belong. */
function unrecordedInWords({ services, processes, survivors }: StopReport): readonly string[] {
  const known = new Set(services.map(({ name }) => name));
  const alive = new Set(survivors.map(({ pid }) => pid));
  const found = new Map<string, number>();
  for (const { service, pid } of processes) {
    if (service === null || known.has(service) || alive.has(pid)) continue;
    found.set(service, (found.get(service) ?? 0) + 1);
  }
  return [...found].sort().map(([name, count]) => {
    const noun = count === 1 ? 'process' : 'processes';
    return `${name}: ended ${count} ${noun}, without a record`;
  });
}

/** Describes how the processes were found and what ended them, which is the question in an emergency. */
function meansInWords(processes: readonly ReportedProcess[]): string {
  const found = tally(
    processes.flatMap(({ evidence }) => [
      ...new Set(evidence.map(({ kind }) => (kind === 'pattern' ? 'looks' : kind))),
    ]),
  );
  const ended = tally(processes.map(({ endedBy }) => endedBy ?? 'no signal'));
  return `  found by ${found}; ended by ${ended}`;
}

/** Counts words, the most frequent first: `cookie (12), session (3)`. */
function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${word} (${count})`)
    .join(', ');
}

/** Describes the capabilities: "subreaper yes, pidfd yes, cgroup no (no cgroup v2 is mounted)". */
function capabilitiesInWords(capabilities: Capabilities): string {
  const { subreaper, pidfd, cgroup } = capabilities;
  return Object.entries({ subreaper, pidfd, cgroup })
    .map(([name, { held, why }]) => `${name} ${held ? 'yes' : `no (${why})`}`)
    .join(', ');
}

function verdict(report: StopReport, out: Theme): string {
  if (report.survivors.length > 0) {
    return `${out.red('✗')} not everything could be ended; the records are kept`;
  }
  const { containers } = report;
  if (containers?.left) return `${out.red('✗')} not all containers are known to be gone`;
  if (report.processes.length === 0 && report.services.length === 0) {
    const all = containers ? [containers.containers, containers.networks, containers.volumes] : [];
    if (all.flat().length === 0) return 'nothing was running';
    return `${out.green('✓')} taken down in ${formatDuration(report.tookMs)}${freeInWords(report)}`;
  }
  const { scans, strength, why } = report.proof;
  const complete = strength === 'complete';
  const ended = `${report.processes.length} ended in ${formatDuration(report.tookMs)}`;
  const free = freeInWords(report);
  const proof = complete
    ? `proof complete, ${scans} scans`
    : `proof best effort: ${printable(why ?? '')}`;
  const of = report.scope === null ? '' : ` of ${report.scope.join(', ')}`;
  const result = complete ? `nothing${of} is left` : `nothing more${of} can be found`;
  return `${out.green('✓')} ${result}: ${ended}${free} (${proof})`;
}

function freeInWords({ ports }: StopReport): string {
  if (ports.length === 0 || ports.some(({ free }) => !free)) return '';
  return `, ${ports.length === 1 ? 'port' : 'ports'} ${ports.map(formatPort).join(', ')} free`;
}

function printNotes(report: StopReport, color: boolean | undefined): void {
  const notes = themeFor(process.stderr, color);
  const note = (line: string): void => {
    process.stderr.write(`${notes.yellow('!')} ${printable(line)}\n`);
  };
  for (const { service, detail } of report.stale)
    note(`the record of ${service} is stale: ${detail}`);
  for (const { pid, command, why, veto, ours, evidence } of report.spared) {
    if (veto !== 'protected') continue;
    if (ours) note(`left alone: protected: pid ${pid}: ${command} (${why})`);
    else if (evidence.some(({ kind }) => kind === 'port'))
      note(`left alone: pid ${pid}: ${command} (${why}); ${DEVCTL} stop --force ends it`);
  }
  noteHeldPorts(report.ports, color);
  for (const { pid, service, evidence, command } of report.processes) {
    // Only an open log or a port pointed to this process. A user who wonders why it was ended finds the
    // reason here.
    const [only, ...more] = new Set(evidence.map(({ kind }) => kind));
    if (more.length > 0 || (only !== 'output' && only !== 'port')) continue;
    const why = evidence.map(({ detail }) => detail).join(', ');
    note(`${service ?? 'no service'}: pid ${pid} was found only because it ${why}: ${command}`);
  }
  for (const problem of report.problems) note(problem);
}

/** Names the holders of ports that a stop has not found free. */
export function noteHeldPorts(ports: StopReport['ports'], color: boolean | undefined): void {
  const mark = themeFor(process.stderr, color).yellow('!');
  for (const one of ports.filter(({ free }) => !free)) {
    const held = `port ${formatPort(one)} is held by a process that is not ours: ${one.holder}`;
    process.stderr.write(`${mark} ${printable(`${one.service}: ${held}`)}\n`);
  }
}

function printDryRun(report: StopReport, out: Theme, why: boolean): void {
  const { processes, supervisor, guards, spared } = report;
  const lines =
    processes.length === 0 ? ['nothing would be signalled'] : processTable(processes, why, out);
  process.stdout.write(`${lines.join('\n')}\n`);
  const last = [
    ...(supervisor ? [`the supervisor (pid ${supervisor.pid})`] : []),
    ...(guards.length > 0
      ? [
          `${supervisor ? 'its' : 'the'} guard${guards.length > 1 ? 's' : ''} (pid ${guards.join(', ')})`,
        ]
      : []),
  ];
  if (last.length > 0) process.stdout.write(`then ${last.join(', ')}\n`);
  for (const problem of report.problems) process.stdout.write(`${printable(problem)}\n`);
  const legend = why ? legendOf(processes) : [];
  if (legend.length > 0) process.stdout.write(`\nours because:\n${legend.join('\n')}\n`);
  else if (processes.length > 0) process.stdout.write(out.dim('why each is ours: --why\n'));
  if (spared.length > 0) {
    process.stdout.write('\nspared:\n');
    const rows = spared.map(({ pid, command, why }) => [String(pid), printable(why), command]);
    const columns = [
      { title: 'PID', align: 'right' as const },
      { title: 'BECAUSE' },
      { title: 'COMMAND', shrink: true },
    ];
    const table = renderTable(columns, rows, { width: tableWidth(process.stdout) });
    process.stdout.write(`${table.join('\n')}\n`);
  }
}

/** A look-alike is named by its looks, because its kind alone would be no reason to end it. */
function evidenceInWords({ kind, detail }: Evidence): string {
  return kind === 'pattern' ? printable(detail) : kind;
}

/** @param why true: with the evidence for each process; else only a look-alike is named as such */
function processTable(
  processes: readonly ReportedProcess[],
  why: boolean,
  out?: Theme,
): readonly string[] {
  const rows = processes.map(({ pid, service, evidence, signals, command }) => [
    String(pid),
    service ?? (evidence.every(({ kind }) => kind === 'pattern') ? '(sweep)' : '-'),
    ...(why ? [[...new Set(evidence.map(evidenceInWords))].join('+')] : []),
    signals.filter((signal) => signal !== 'SIGCONT').join(' ') || '-',
    command,
  ]);
  return renderTable(
    [
      { title: 'PID', align: 'right' },
      { title: 'OF' },
      ...(why ? [{ title: 'BECAUSE' }] : []),
      { title: 'SIGNAL' },
      { title: 'COMMAND', shrink: true },
    ],
    rows,
    { width: tableWidth(process.stdout), ...(out ? { paintTitle: out.dim } : {}) },
  );
}

/** Says what a stop did with the containers. */
export function containersStopLines(stop: ContainersStop, theme: Theme): readonly string[] {
  const { containers, networks, volumes, unknown } = stop;
  const good = theme.green('✓');
  const bad = theme.red('✗');
  const removed = (things: typeof networks, noun: string): readonly string[] =>
    things.map(({ name, removed: isGone, why }) =>
      isGone
        ? `${good} ${noun} ${printable(name)}: removed`
        : `${bad} ${noun} ${printable(name)} is left: ${printable(why ?? 'not known why')}`,
    );
  return [
    ...containers.map(({ service, name, outcome, why }) => {
      const what = `container ${printable(service)}${name === service ? '' : ` (${printable(name)})`}`;
      if (outcome === 'removed') return `${good} ${what}: stopped and removed`;
      if (outcome === 'kept') return `${good} ${what}: stopped, and kept: ${printable(why ?? '')}`;
      return `${bad} ${what} is left: ${printable(why ?? 'not known why')}`;
    }),
    ...removed(networks, 'network'),
    ...removed(volumes, 'volume'),
    ...(unknown === null ? [] : [`${bad} ${printable(unknown)}`]),
  ];
}
