import type { ReportedProcess, SweepReport } from '../../stopping/report.ts';
import { formatDuration } from '../terminal/durations.ts';
import { type Column, renderTable, tableWidth } from '../terminal/table.ts';
import { type Theme, themeFor } from '../terminal/theme.ts';
import { printable } from '../terminal/width.ts';

/** Prints a sweep for people: the processes that were ended or left alone, and why. */
export function printSweepReport(report: SweepReport, color: boolean | undefined): void {
  const out = themeFor(process.stdout, color);
  const { processes, spared, survivors } = report;
  const lines: string[] = [];
  if (processes.length > 0) {
    const rows = processes.map((one) => [
      String(one.pid),
      printable(one.evidence.map(({ detail }) => detail).join(', ')),
      endInWords(one, report.kind),
      printable(one.command),
    ]);
    const fate = { title: report.kind === 'sweep' ? 'ENDED' : 'SIGNAL' };
    lines.push(...table([PID, WHY, fate, COMMAND], rows, out), '');
  }
  if (spared.length > 0) {
    const rows = spared.map(({ pid, why, command }) => [
      String(pid),
      printable(why),
      printable(command),
    ]);
    lines.push('spared:', ...table([PID, WHY, COMMAND], rows, out), '');
  }
  for (const { pid, why } of survivors) lines.push(out.red(`pid ${pid} is alive: ${why}`));
  lines.push(verdict(report, out));
  process.stdout.write(`${lines.join('\n')}\n`);
}

const PID: Column = { title: 'PID', align: 'right' };
const WHY: Column = { title: 'BECAUSE', shrink: true };
const COMMAND: Column = { title: 'COMMAND', shrink: true };

function table(columns: readonly Column[], rows: readonly string[][], out: Theme) {
  return renderTable(columns, rows, { width: tableWidth(process.stdout), paintTitle: out.dim });
}

function endInWords(
  { signals, endedBy, endedAfterMs }: ReportedProcess,
  kind: SweepReport['kind'],
) {
  if (kind === 'sweep-dry-run') return signals.join(' ');
  if (endedAfterMs === null) return 'no';
  return endedBy === null ? 'by itself' : `by ${endedBy}`;
}

function verdict(report: SweepReport, out: Theme): string {
  const { kind, processes, survivors, tookMs, scans, project, scope } = report;
  const place = printable(scope === 'project' ? project : `${project}, and anywhere else`);
  if (processes.length === 0) return `nothing to sweep in ${place}`;
  const count = `${processes.length} process${processes.length === 1 ? '' : 'es'}`;
  if (kind === 'sweep-dry-run') return `would end ${count} in ${place}`;
  if (survivors.length > 0)
    return `${out.red('✗')} ${survivors.length} of ${count} could not be ended`;
  return `${out.green('✓')} ended ${count} in ${formatDuration(tookMs)} (${scans} scans), no more in ${place}`;
}
