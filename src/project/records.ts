import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { isServiceName, parseJson, requireRecordable } from './field-checks.ts';
import {
  folderProblem,
  isOfAnotherProject,
  namesIn,
  type ProjectFolder,
  writableFolder,
} from './folder.ts';
import { shapeOfRecord } from './record-checks.ts';
import type { RecordProblem } from './record-problem.ts';
import { MAX_FILE_BYTES, readOwnFile } from './safe-file.ts';
import type { ServiceRecord } from './service-record.ts';

export interface RecordsRead {
  /** Sorted by service. */
  readonly records: readonly ServiceRecord[];
  readonly problems: readonly RecordProblem[];
}

/**
 * All service records of the project, and what in their folder is none. Changes nothing, so that it
 * is safe without the lock; never throws for what it finds.
 */
export function readRecords(folder: ProjectFolder): RecordsRead {
  const records: ServiceRecord[] = [];
  const problems: RecordProblem[] = [];
  const blocked = folderProblem(folder, 'services');
  if (blocked) return { records, problems: [blocked] };

  const directory = join(folder.pidsDir, 'services');
  for (const name of namesIn(directory, problems)) {
    if (!name.endsWith('.json') || name.startsWith('.')) continue;
    const service = name.slice(0, -'.json'.length);
    const read = isServiceName(service)
      ? readRecord(folder, service)
      : problem(join(directory, name), null, 'corrupt', 'not the name of a service');
    if (read.kind === 'record') records.push(read.record);
    else if (read.kind === 'problem') problems.push(read.problem);
  }
  return { records, problems };
}

export type RecordRead =
  | { readonly kind: 'record'; readonly record: ServiceRecord }
  | { readonly kind: 'missing' }
  | { readonly kind: 'problem'; readonly problem: RecordProblem };

/** The record of one service. Never throws for what it finds. */
export function readRecord(folder: ProjectFolder, service: string): RecordRead {
  const path = recordPath(folder, service);
  const file = readOwnFile(path);
  if (file.kind === 'missing') return file;
  if (file.kind === 'refused') return problem(path, service, 'refused', file.reason);

  const shape = shapeOfRecord(parseJson(file.bytes));
  if (shape.kind !== 'record') return problem(path, service, shape.kind, shape.reason);
  const { record } = shape;
  if (record.service !== service) {
    return problem(path, service, 'corrupt', `it speaks of another service, "${record.service}"`);
  }
  if (isOfAnotherProject(folder, record.project)) {
    return problem(path, service, 'foreign', `it belongs to the project ${record.project}`);
  }
  return { kind: 'record', record };
}

/**
 * Stores a record; readers see the one before or this one, whole.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'; Error for a record that no reader would take
 */
export function writeRecord(folder: ProjectFolder, record: ServiceRecord): void {
  requireRecordable(record.supervisor);
  const shape = shapeOfRecord(record);
  if (shape.kind !== 'record') throw new Error(`record of ${record.service}: ${shape.reason}`);
  const content = `${JSON.stringify(record, null, 2)}\n`;
  if (Buffer.byteLength(content) > MAX_FILE_BYTES) {
    throw new Error(`record of ${record.service}: larger than ${MAX_FILE_BYTES} bytes`);
  }
  writableFolder(folder, 'services');
  writeFileAtomically(recordPath(folder, record.service), content);
}

/**
 * Removes the record of one run, after the proof that nothing of the run is alive. The record of a
 * later run of the same service stays. Call it with the project lock held.
 *
 * @returns was it removed?
 * @throws DevctlError 'records-unwritable'
 */
export function removeRecord(folder: ProjectFolder, service: string, runId: string): boolean {
  if (folderProblem(folder, 'services')) return false;
  const read = readRecord(folder, service);
  if (read.kind !== 'record' || read.record.runId !== runId) return false;
  return removeIfThere(recordPath(folder, service));
}

function recordPath(folder: ProjectFolder, service: string): string {
  if (!isServiceName(service)) throw new Error(`not a service name: ${JSON.stringify(service)}`);
  return join(folder.pidsDir, 'services', `${service}.json`);
}

function problem(
  path: string,
  service: string | null,
  kind: RecordProblem['kind'],
  reason: string,
): RecordRead {
  return { kind: 'problem', problem: { path, service, kind, reason } };
}
