import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { isServiceName, requireRecordable } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { type RecordRead, readJsonRecord } from './json-record.ts';
import { keepReads } from './kept-reads.ts';
import { toServiceRecord } from './record-checks.ts';
import type { RecordProblem } from './record-problem.ts';
import { isOfOtherManifest, whyOfAnotherProject } from './recorded-project.ts';
import { folderProblem, listFileNames, writableFolder } from './records-folder.ts';
import { MAX_FILE_BYTES } from './safe-file.ts';
import type { ServiceRecord } from './service-record.ts';

export interface RecordsRead {
  /** Sorted by service. */
  readonly records: readonly ServiceRecord[];
  readonly problems: readonly RecordProblem[];
}

/** The service records in a folder, by the manifest that they are of. */
export interface FolderRecords extends RecordsRead {
  /** The records of another manifest in the same folder. They concern nobody here, and are no problem. */
  readonly others: readonly ServiceRecord[];
  /** These, and those of another project that keeps its records here, too (a shared `pidsDir`): living processes of theirs. */
  readonly foreign: readonly ServiceRecord[];
}

/**
 * Reads all service records of the project, and reports the other files in their folder. Changes
 * nothing, so it is safe without the lock. Never throws for a bad file: it becomes a problem.
 */
export function readRecords(folder: ProjectFolder): RecordsRead {
  const { records, problems } = readFolderRecords(folder);
  return { records, problems };
}

/** Does the same, and returns the records of another manifest in the folder as well. */
export function readFolderRecords(folder: ProjectFolder): FolderRecords {
  const records: ServiceRecord[] = [];
  const problems: RecordProblem[] = [];
  const others: ServiceRecord[] = [];
  const foreign: ServiceRecord[] = [];
  const blocked = folderProblem(folder, 'services');
  if (blocked) return { records, problems: [blocked], others, foreign };

  const directory = join(folder.pidsDir, 'services');
  for (const name of listFileNames(directory, problems)) {
    if (!name.endsWith('.json') || name.startsWith('.')) continue;
    const service = name.slice(0, -'.json'.length);
    if (!isServiceName(service)) {
      const path = join(directory, name);
      problems.push({ path, service: null, kind: 'corrupt', reason: 'not the name of a service' });
      continue;
    }
    const written = readWritten(folder, service);
    const isOther = written.kind === 'record' && isOfOtherManifest(folder, written.record);
    if (isOther && folder.standing.standing !== 'copy') {
      others.push(written.record);
      foreign.push(written.record);
      continue;
    }
    const read = written.kind === 'record' ? asOurs(folder, written.record) : written;
    if (read.kind === 'record') records.push(read.record);
    else if (read.kind === 'problem') problems.push(read.problem);
    const isForeign = read.kind === 'problem' && read.problem.kind === 'foreign';
    if (isForeign && written.kind === 'record' && folder.standing.standing === 'shared') {
      foreign.push(written.record);
    }
  }
  return { records, problems, others, foreign };
}

/** Reads the record of one service. Never throws for a bad file: it becomes a problem. */
export function readRecord(folder: ProjectFolder, service: string): RecordRead<ServiceRecord> {
  const read = readWritten(folder, service);
  return read.kind === 'record' ? asOurs(folder, read.record) : read;
}

/** Reads the record of a service, whichever project has written it. */
function readWritten(folder: ProjectFolder, service: string): RecordRead<ServiceRecord> {
  const path = recordPath(folder, service);
  const read = (): RecordRead<ServiceRecord> =>
    readJsonRecord(path, {
      service,
      parse(fields) {
        const record = toServiceRecord(fields);
        if (typeof record === 'string' || record.service === service) return record;
        return `it speaks of another service, "${record.service}"`;
      },
    });
  return kept.read(path, read, ({ kind }) => kind === 'record');
}

const kept = keepReads<RecordRead<ServiceRecord>>();

function asOurs(folder: ProjectFolder, record: ServiceRecord): RecordRead<ServiceRecord> {
  const reason = whyOfAnotherProject(folder, record);
  if (reason === null) return { kind: 'record', record };
  const { service } = record;
  return {
    kind: 'problem',
    problem: { path: recordPath(folder, service), service, kind: 'foreign', reason },
  };
}

/**
 * Stores a record. Every reader sees the old or the new one, whole.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'; Error for a record that no reader would accept
 */
export function writeRecord(folder: ProjectFolder, record: ServiceRecord): void {
  requireRecordable(record.supervisor);
  const checked = toServiceRecord({ ...record });
  if (typeof checked === 'string') throw new Error(`record of ${record.service}: ${checked}`);
  const content = `${JSON.stringify(record, null, 2)}\n`;
  if (Buffer.byteLength(content) > MAX_FILE_BYTES) {
    throw new Error(`record of ${record.service}: larger than ${MAX_FILE_BYTES} bytes`);
  }
  writableFolder(folder, 'services');
  // After a power failure no process lives, so only the end of a run is worth an fsync(2): a task may be done.
  const flushed = record.exit !== null;
  writeFileAtomically(recordPath(folder, record.service), content, { flushed });
}

/**
 * Removes the record of one run, after the proof that no process of the run is alive. The record of a
 * later run of the same service stays. Call it with the project lock held.
 *
 * @returns true when it was removed
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
