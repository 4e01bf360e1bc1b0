import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from './atomic-file.ts';
import { isCount } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { readJsonFields } from './json-record.ts';
import { prepareStateFolder } from './place/registry.ts';
import { type RecordProblem, refusedFileProblems } from './record-problem.ts';
import { folderProblem, writableFolder } from './records-folder.ts';

/** Largest report that is read: one of thousands of processes with their evidence takes some MB. */
const MAX_REPORT_BYTES = 64 * 1024 * 1024;

/** `.pids/last-stop.json`: the report of the last stop, as its `--json` printed it. */
export interface LastStop {
  readonly version: number;
  readonly [field: string]: unknown;
}

/**
 * Stores the report of a stop in place of the one before. Where the project folder is gone, the report goes to the
 * state folder of the user.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeLastStop(folder: ProjectFolder, report: { readonly version: number }): void {
  const text = `${JSON.stringify(report)}\n`;
  const elsewhere = existsSync(folder.root) ? null : prepareStateFolder('stops');
  if (elsewhere !== null) {
    writeFileAtomically(join(elsewhere, `${folder.id ?? folder.mark}.json`), text, UNFLUSHED);
    return;
  }
  writableFolder(folder, null);
  writeFileAtomically(lastStopPath(folder), text, UNFLUSHED);
}

/** No decision depends on it, and fsync(2) took a third of the end of a stop. */
const UNFLUSHED = { flushed: false };

/**
 * Reads the report of the last stop. No decision depends on it.
 *
 * @returns null when there is none, or none that can be read
 */
export function readLastStop(folder: ProjectFolder): LastStop | null {
  if (folderProblem(folder, null)) return null;
  const report = readJsonFields(lastStopPath(folder), MAX_REPORT_BYTES);
  return report && isCount(report.version) ? { ...report, version: report.version } : null;
}

/**
 * Reports a link, a folder or a file of another user at the path of the report, where it would block
 * the next one.
 */
export function lastStopProblems(folder: ProjectFolder): readonly RecordProblem[] {
  return folderProblem(folder, null) ? [] : refusedFileProblems(lastStopPath(folder));
}

function lastStopPath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'last-stop.json');
}
