import { ExitCode } from '../errors.ts';
import { diagnose } from '../operations/doctor/doctor.ts';
import type { DoctorFinding } from '../operations/doctor/finding.ts';
import { printJson } from '../output/terminal/json.ts';
import { type Theme, themeFor } from '../output/terminal/theme.ts';
import { printable } from '../output/terminal/width.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject } from '../project/open-project.ts';

export interface DoctorOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl doctor`. Exits 1 when there is a problem; warnings alone exit 0. */
export async function doctorCommand(options: DoctorOptions): Promise<number> {
  const findings = await diagnose(openHost(), openProject({ config: options.config }));
  const ok = !findings.some(({ level }) => level === 'problem');
  if (options.json) printJson({ ok, findings });
  else printFindings(findings, themeFor(process.stdout, options.color));
  return ok ? ExitCode.Ok : ExitCode.Failed;
}

function printFindings(findings: readonly DoctorFinding[], theme: Theme): void {
  const marks = { ok: theme.green('✓'), warning: theme.yellow('!'), problem: theme.red('✗') };
  const lines = findings.flatMap(({ check, level, message, fix }) => [
    `${marks[level]} ${theme.dim(check.padEnd(10))} ${printable(message)}`,
    ...(fix === null ? [] : [`${' '.repeat(13)}${theme.dim('→')} ${printable(fix)}`]),
  ]);
  const count = (level: DoctorFinding['level'], noun: string): string => {
    const number = findings.filter((one) => one.level === level).length;
    return `${number} ${noun}${number === 1 ? '' : 's'}`;
  };
  lines.push(`${count('problem', 'problem')}, ${count('warning', 'warning')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
