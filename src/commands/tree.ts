import { ExitCode } from '../errors.ts';
import { readTrees, type TreeProcess, type TreeReport } from '../operations/status/tree.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printJson } from '../output/terminal/json.ts';
import { formatSize } from '../output/terminal/sizes.ts';
import { renderTable, tableWidth } from '../output/terminal/table.ts';
import { type Theme, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { legendOf } from '../output/text/evidence.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, requireProject } from '../project/open-project.ts';
import { selectNames } from '../project/select-names.ts';

export interface TreeOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly why?: boolean;
}

/**
 * Runs `devctl tree`: prints every process of every service. Exits 0, because `status`
 * judges.
 */
export async function treeCommand(names: readonly string[], options: TreeOptions): Promise<number> {
  const project = openProject({ config: options.config });
  const report = await readTrees(openHost(), project, selectNames(project, names));
  requireProject(project, report.services.length > 0 || report.containers !== null);
  if (options.json) printJson(report);
  else {
    printTrees(report, options);
    printContainers(report);
  }
  return ExitCode.Ok;
}

/** A container is one entry: its processes are the engine's, and only `docker top` shows all of them. */
function printContainers({ containers }: TreeReport): void {
  for (const { service, name, id, state, pid } of containers ?? []) {
    const where = pid === null ? state : `${state}, pid ${pid} of the engine's machine`;
    process.stdout.write(
      `container ${printable(service)}: ${printable(name)} (${id.slice(0, 12)}, ${printable(where)})\n`,
    );
  }
}

function printTrees({ services, devctl }: TreeReport, { color, why = false }: TreeOptions): void {
  const theme = themeFor(process.stdout, color);
  const some = services.filter(({ processes }) => processes > 0);
  if (some.length === 0) {
    process.stdout.write('no process of a service is running\n');
    return;
  }
  const rows = some.flatMap(({ service, roots }) => {
    const name = service === null ? theme.yellow('(no service)') : theme.bold(service);
    return roots
      .flatMap((root) => treeRows(root, ['', ''], why, theme))
      .map((row, index) => [index === 0 ? name : '', ...row]);
  });
  const columns = [
    { title: 'SERVICE' },
    { title: 'PID', align: 'right' as const },
    { title: 'CPU', align: 'right' as const },
    { title: 'MEMORY', align: 'right' as const },
    { title: 'AGE', align: 'right' as const },
    ...(why ? [{ title: 'BECAUSE', shrink: true }] : []),
    { title: 'COMMAND', shrink: true },
  ];
  const layout = { width: tableWidth(process.stdout), paintTitle: theme.dim };
  process.stdout.write(`${renderTable(columns, rows, layout).join('\n')}\n`);
  if (why) {
    const legend = legendOf(some.flatMap(({ roots }) => roots.flatMap(withBelow)));
    process.stdout.write(`\nours because:\n${legend.join('\n')}\n\n`);
  } else {
    process.stdout.write(theme.dim('why each is ours: --why\n'));
    return;
  }
  const containers = devctl.map(({ role, pid, rssBytes }) => {
    const what = role === 'run' ? 'devctl run' : role;
    return `${what} (pid ${pid}, ${formatSize(rssBytes)})`;
  });
  if (containers.length > 0) process.stdout.write(theme.dim(`held by: ${containers.join(', ')}\n`));
}

/**
 * Builds the rows of a process and of everything below it.
 *
 * @param stem the branches before this process, and those before its children
 * @param why true: with the evidence
 */
function treeRows(
  one: TreeProcess,
  [stem, below]: readonly [string, string],
  why: boolean,
  theme: Theme,
): string[][] {
  const { pid, cpuPercent, rssBytes, ageMs, evidence, command, orphan, state, children } = one;
  const marks = [...(orphan ? ['orphan'] : []), ...(state === 'T' ? ['stopped'] : [])];
  const marked = marks.length > 0 ? ` ${theme.red(`(${marks.join(', ')})`)}` : '';
  const row = [
    String(pid),
    `${cpuPercent.toFixed(1)}%`,
    formatSize(rssBytes),
    formatDuration(ageMs),
    ...(why ? [[...new Set(evidence.map(({ kind }) => kind))].join('+')] : []),
    `${theme.dim(stem)}${printable(command)}${marked}`,
  ];
  const last = children.length - 1;
  return [
    row,
    ...children.flatMap((child, index) =>
      treeRows(
        child,
        [`${below}${index === last ? '└─ ' : '├─ '}`, `${below}${index === last ? '   ' : '│  '}`],
        why,
        theme,
      ),
    ),
  ];
}

function withBelow(one: TreeProcess): readonly TreeProcess[] {
  return [one, ...one.children.flatMap(withBelow)];
}
