import type { ContainerStatus, ContainersStatus } from '../../containers/report.ts';
import { DEVCTL } from '../../own-command.ts';
import { formatDuration } from '../terminal/durations.ts';
import { renderTable, tableWidth } from '../terminal/table.ts';
import type { Theme } from '../terminal/theme.ts';
import { printable } from '../terminal/width.ts';

/** The containers of `status`, as a table with what is to be said of them. */
export function containersLines(status: ContainersStatus, theme: Theme): readonly string[] {
  const { list, why, ageMs, engine, remote } = status;
  const rows = list.map((one) => [
    theme.bold(printable(one.service)),
    stateInWords(one, theme),
    one.id.slice(0, 12),
    one.uptimeMs === null ? '-' : formatDuration(one.uptimeMs),
    one.ports.join(' ') || '-',
    printable(one.name),
  ]);
  const table =
    rows.length === 0
      ? []
      : renderTable(
          [
            { title: 'CONTAINER' },
            { title: 'STATE' },
            { title: 'ID' },
            { title: 'UPTIME', align: 'right' },
            { title: 'PORTS', shrink: true },
            { title: 'NAME', shrink: true },
          ],
          rows,
          { width: tableWidth(process.stdout), paintTitle: theme.dim },
        );
  const age = ageMs > 0 ? `, so this is what it said ${formatDuration(ageMs)} ago` : '';
  const again = list
    .filter(({ restartedByEngine }) => restartedByEngine)
    .map(({ service }) => service);
  const used = list.filter(({ ours }) => !ours).map(({ service }) => service);
  return [
    ...table,
    ...(why === null ? [] : [`containers: ${printable(why)}${age}`]),
    ...(remote ? [`containers: on another machine (${printable(engine ?? '')})`] : []),
    ...(again.length > 0
      ? [
          `${again.join(', ')}: started by the engine after a boot ("restart" in the compose file); ${DEVCTL} stop ends it`,
        ]
      : []),
    ...(used.length > 0
      ? [`${used.join(', ')}: started by somebody else; devctl only uses it`]
      : []),
  ];
}

function stateInWords({ state, health, exitCode }: ContainerStatus, theme: Theme): string {
  if (state === 'running') {
    if (health === null || health === 'healthy') return theme.green(health ?? 'running');
    return health === 'unhealthy' ? theme.red(health) : theme.yellow(health);
  }
  if (state === 'exited' && exitCode === 0) return 'done';
  return theme.red(exitCode === null ? state : `${state} (${exitCode})`);
}
