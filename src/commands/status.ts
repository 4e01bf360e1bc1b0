import { ExitCode } from '../errors.ts';
import { warningInWords } from '../limits/words.ts';
import { isWide } from '../operations/status/listening.ts';
import type { ServiceStatus, StatusReport } from '../operations/status/report.ts';
import { readStatus } from '../operations/status/status.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printJson } from '../output/terminal/json.ts';
import { formatPort } from '../output/terminal/port.ts';
import { paintState } from '../output/terminal/service-state.ts';
import { formatSize } from '../output/terminal/sizes.ts';
import { renderTable, tableWidth } from '../output/terminal/table.ts';
import { type Theme, themeFor } from '../output/terminal/theme.ts';
import { urlLines } from '../output/terminal/urls.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { allPorts } from '../processes/ports.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, requireProject } from '../project/open-project.ts';
import { selectNames } from '../project/select-names.ts';
import { leasesInWords } from './options/lease-options.ts';
import { noteOtherManifest } from './other-manifest-note.ts';

export interface StatusOptions {
  readonly config?: string;
  readonly all?: boolean;
  readonly urls?: boolean;
  readonly containers?: boolean;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl status`. Exits 0 when every service that should run is up, otherwise 3. */
export async function statusCommand(
  names: readonly string[],
  options: StatusOptions,
): Promise<number> {
  if (options.all) return (await import('./status-all.ts')).statusOfAll(names, options);
  if (options.containers) return (await import('./containers/down.ts')).statusOfContainers(options);
  const project = openProject({ config: options.config });
  const report = await readStatus(openHost(), project, selectNames(project, names), options.urls);
  requireProject(
    project,
    report.services.length + report.orphans.length > 0 || report.containers !== null,
  );
  if (options.json) printJson(report);
  else if (options.urls) printUrls(report, options.color);
  else {
    await printStatus(report, options.color);
    noteOtherManifest(project.folder, options.color);
  }
  return report.healthy ? ExitCode.Ok : ExitCode.NotRunning;
}

function printUrls({ services }: StatusReport, color: boolean | undefined): void {
  const theme = themeFor(process.stdout, color);
  const all = services.flatMap(({ name, urls }) =>
    (urls ?? []).map((url) => ({ service: name, url })),
  );
  for (const line of urlLines(all, theme)) process.stdout.write(`${line}\n`);
  if (all.length === 0) process.stderr.write('no service that runs has named a URL\n');
}

async function printStatus(report: StatusReport, color: boolean | undefined): Promise<void> {
  const theme = themeFor(process.stdout, color);
  const hasOnlyContainers =
    report.services.length === 0 && (report.containers?.list.length ?? 0) > 0;
  if (!hasOnlyContainers) printServices(report, theme);
  if (report.containers) {
    const { containersLines } = await import('../output/text/containers.ts');
    const lines = containersLines(report.containers, theme);
    process.stdout.write(
      `${lines.length > 0 && !hasOnlyContainers ? '\n' : ''}${lines.map((line) => `${line}\n`).join('')}`,
    );
  }
  const { orphans, unattributed } = report;
  if (orphans.length > 0) {
    const count = `${orphans.length} orphan${orphans.length === 1 ? '' : 's'}`;
    process.stdout.write(
      `\n${theme.red(count)} of runs that have ended, or whose records are gone:\n`,
    );
    printProcesses(orphans, theme);
  }
  if (unattributed.length > 0) {
    process.stdout.write(`\n${unattributed.length} below the supervisor, of no known service:\n`);
    printProcesses(unattributed, theme);
  }
  printNotes(report, themeFor(process.stderr, color));
}

function printServices({ services, leases }: StatusReport, theme: Theme): void {
  const lines = renderTable(
    [
      { title: 'SERVICE' },
      { title: 'STATE' },
      { title: 'PID', align: 'right' },
      { title: 'UPTIME', align: 'right' },
      { title: 'PROCS', align: 'right' },
      { title: 'MEMORY', align: 'right' },
      { title: 'CPU', align: 'right' },
      { title: 'PORTS', shrink: true },
      { title: 'RESTARTS', align: 'right' },
    ],
    services.map((service) => toRow(service, theme)),
    { width: tableWidth(process.stdout), paintTitle: theme.dim },
  );
  process.stdout.write(`${lines.join('\n')}\n`);
  const ends = leasesInWords(leases);
  if (ends) process.stdout.write(`lease: ${ends}\n`);
  for (const { name, changed } of services) {
    if (changed && changed.length > 0)
      process.stdout.write(
        `${name}: changed since it was started (${printable(changed.join(', '))}); ${DEVCTL} start --apply restarts it\n`,
      );
  }
  const undeclared = services.filter((one) => one.undeclared).map(({ name }) => name);
  if (undeclared.length > 0) {
    const names = undeclared.join(' ');
    process.stdout.write(
      `${undeclared.join(', ')}: the manifest names ${undeclared.length === 1 ? 'it' : 'them'} no more; ${DEVCTL} stop ${names}\n`,
    );
  }
  const blocked = services.filter(({ blockedBy }) => blockedBy.length > 0).map(({ name }) => name);
  const explained = services.filter(({ reason, done }) => reason !== null && !done);
  for (const { name, reason, state, blockedBy } of explained) {
    process.stdout.write(`${name}: ${printable(reason ?? '')}\n`);
    if (blockedBy.length === 0 && (state === 'failed' || state === 'unhealthy'))
      process.stdout.write(`  → ${DEVCTL} logs ${name}\n`);
  }
  if (blocked.length > 0)
    process.stdout.write(
      `  → once what they wait for is up: ${DEVCTL} start ${blocked.join(' ')}\n`,
    );
}

function printNotes(report: StatusReport, theme: Theme): void {
  const note = (text: string): void => {
    process.stderr.write(`${theme.yellow('!')} ${text}\n`);
  };
  for (const { service, detail } of report.stale)
    note(`the record of ${service} is stale: ${printable(detail)}`);
  for (const breach of report.breaches)
    note(printable(`over its limit: ${warningInWords(breach)}`));
  for (const problem of report.problems) note(printable(problem));
  if (report.orphans.length > 0) process.stderr.write(`  → ${DEVCTL} stop ends them\n`);
  if (!report.supervisor && report.services.some(({ pid, oneOff }) => pid !== null && !oneOff))
    note(`no supervisor is running; take over what runs: ${DEVCTL} adopt`);
}

function printProcesses(processes: StatusReport['orphans'], theme: Theme): void {
  const rows = processes.map(({ pid, service, command, evidence }) => [
    String(pid),
    service ?? '-',
    evidence.map(({ kind }) => kind).join('+'),
    command,
  ]);
  const columns = [
    { title: 'PID', align: 'right' as const },
    { title: 'OF' },
    { title: 'BECAUSE' },
    { title: 'COMMAND', shrink: true },
  ];
  const layout = { width: tableWidth(process.stdout), paintTitle: theme.dim };
  process.stdout.write(`${renderTable(columns, rows, layout).join('\n')}\n`);
}

/** Says which ports a service has: `4000`, `4000 (closed)`, and with its address what other machines can reach. */
function portsInWords(service: ServiceStatus): string {
  const { listening, pid } = service;
  if (!listening || pid === null) return allPorts(service).join(' ');
  const words = listening.map((one) => {
    const { address, open } = one;
    if (!open) return `${formatPort(one)} (closed)`;
    if (address === null || !isWide(address)) return formatPort(one);
    return `${address.includes(':') ? `[${address}]` : address}:${formatPort(one)}`;
  });
  return words.join(' ');
}

function toRow(service: ServiceStatus, theme: Theme): readonly string[] {
  const { name, pid, uptimeMs, processes, orphans, rssBytes, cpuPercent } = service;
  const some = processes > 0;
  return [
    theme.bold(name),
    paintState(service, theme),
    pid === null ? '-' : String(pid),
    uptimeMs === null ? '-' : formatDuration(uptimeMs),
    orphans > 0 ? theme.red(String(processes)) : String(processes),
    some ? formatSize(rssBytes) : '-',
    some ? `${cpuPercent.toFixed(1)}%` : '-',
    portsInWords(service) || '-',
    String(service.restarts),
  ];
}
