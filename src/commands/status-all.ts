import { DevctlError, ExitCode } from '../errors.ts';
import { type ProjectSummary, summariseProjects } from '../operations/status/all.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printJson } from '../output/terminal/json.ts';
import { renderTable, tableWidth } from '../output/terminal/table.ts';
import { type Theme, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';

interface StatusOfAllOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl status --all`. Needs no project. Exits 0, because only `status` of one project judges. */
export async function statusOfAll(
  names: readonly string[],
  { config, json, color }: StatusOfAllOptions,
): Promise<number> {
  if (names.length > 0 || config !== undefined) {
    const what = config === undefined ? `services (${names.join(', ')})` : '--config';
    throw new DevctlError('usage', `--all shows every project, so ${what} cannot be named`, {
      hint: `${DEVCTL} status --all, or ${DEVCTL} status in the folder of one project`,
    });
  }
  const projects = await summariseProjects(openHost());
  if (json) printJson({ projects });
  else printProjects(projects, color);
  return ExitCode.Ok;
}

function printProjects(projects: readonly ProjectSummary[], color: boolean | undefined): void {
  if (projects.length === 0) {
    process.stdout.write('no project of yours runs\n');
    return;
  }
  const theme = themeFor(process.stdout, color);
  const columns = [
    { title: 'PROJECT', shrink: true },
    { title: 'ID' },
    { title: 'UPTIME', align: 'right' as const },
    { title: 'PROCS', align: 'right' as const },
    { title: 'SUPERVISOR', align: 'right' as const },
  ];
  const layout = { width: tableWidth(process.stdout), paintTitle: theme.dim };
  const rows = projects.map((project) => toRow(project, theme));
  process.stdout.write(`${renderTable(columns, rows, layout).join('\n')}\n`);
  for (const { id, mark, project } of projects.filter(({ gone }) => gone)) {
    const notes = themeFor(process.stderr, color);
    const where = printable(project ?? mark);
    process.stderr.write(`${notes.yellow('!')} the folder of ${where} is gone\n`);
    process.stderr.write(`  → ${DEVCTL} stop --project ${id ?? mark} ends what is left of it\n`);
  }
}

function toRow(summary: ProjectSummary, theme: Theme): readonly string[] {
  const { id, mark, project, gone, uptimeMs, processes, supervisor } = summary;
  const where = printable(project ?? mark);
  return [
    gone ? `${where} ${theme.red('(gone)')}` : where,
    id ?? mark,
    formatDuration(uptimeMs),
    String(processes),
    supervisor === null ? '-' : String(supervisor.pid),
  ];
}
