import { lstatSync, writeFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { DevctlError, ExitCode, inWords } from '../errors.ts';
import { readActivity } from '../operations/status/activity.ts';
import { reportPage } from '../output/html/page.ts';
import { printJson } from '../output/terminal/json.ts';
import { printActivity } from '../output/text/activity.ts';
import { openHost } from '../processes/real-host.ts';
import { currentFolder } from '../processes/working-folder.ts';
import { writeFileAtomically } from '../project/atomic-file.ts';
import { openProject, requireProject } from '../project/open-project.ts';
import { sinceOption } from './options/log-options.ts';

export interface ReportOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly html?: string;
  readonly since?: string;
}

/** Runs `devctl report`. Exits 0 when the report is printed, because `status` judges. */
export async function reportCommand(options: ReportOptions): Promise<number> {
  const nowMs = Date.now();
  const sinceMs = sinceOption(options.since, nowMs);
  if (options.json && options.html === '-') {
    throw new DevctlError('usage', '--json and --html - would both be on stdout', {
      hint: 'name a file: --html report.html',
    });
  }
  const project = openProject({ config: options.config });
  const report = await readActivity(openHost(), project, { nowMs, sinceMs });
  requireProject(project, report.period !== null || report.lastStop !== null);
  if (options.html === '-') {
    process.stdout.write(reportPage(report));
    return ExitCode.Ok;
  }
  if (options.html !== undefined) writePage(options.html, reportPage(report));
  if (options.json) printJson(report);
  else if (options.html === undefined) printActivity(report, options.color);
  else process.stderr.write(`devctl: the report is in ${options.html}\n`);
  return ExitCode.Ok;
}

/**
 * Writes the page to a new file that no other user may read, because command lines may hold secrets. A file
 * that another user has put in its place gets nothing. A path that is no regular file (/dev/stdout, a FIFO)
 * is written to directly.
 */
function writePage(file: string, page: string): void {
  const path = resolve(isAbsolute(file) ? '/' : currentFolder(), file);
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found && !found.isFile()) writeFileSync(path, page);
    else writeFileAtomically(path, page, { flushed: false });
  } catch (error) {
    const why = inWords(error instanceof DevctlError ? error.cause : error);
    throw new DevctlError('report-unwritable', `cannot write ${file}: ${why}`, {
      hint: 'name another file, or --html - for stdout',
      cause: error,
    });
  }
}
