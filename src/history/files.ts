import { closeSync, existsSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { appendFlags } from '../project/atomic-file.ts';
import { folderProblem, type ProjectFolder, writableFolder } from '../project/folder.ts';
import { type RecordProblem, refusedFileProblems } from '../project/record-problem.ts';
import { readOwnFile, whyNotAppend } from '../project/safe-file.ts';

/** The files of a project's history: samples, the coarser the longer they are kept, and events. */
export type HistoryPart = 'recent' | 'hours' | 'days' | 'events';

/**
 * From this size on, in bytes, the next line begins a new file. The one before is kept, and that before it
 * replaced, so each part takes twice as much at most.
 */
const MOST_BYTES: Readonly<Record<HistoryPart, number>> = {
  recent: 512 * 1024,
  hours: 512 * 1024,
  days: 512 * 1024,
  events: 512 * 1024,
};

/** A last line may go beyond: what is larger than this is not ours. */
const MAX_READ_BYTES = 4 * 1024 * 1024;

/**
 * Adds a line to a part of the history, in one write. Not flushed: after a power failure the last seconds
 * are worth little.
 *
 * @param line JSON without a newline in it
 * @throws DevctlError 'records-unwritable', 'unsafe', and what open(2) and write(2) fail with
 */
export function appendHistory(folder: ProjectFolder, part: HistoryPart, line: string): void {
  const problem = folderProblem(folder, 'history');
  if (problem) throw new DevctlError('unsafe', `${problem.path} is not used: ${problem.reason}`);
  const path = historyPath(folder, part);
  const fd = openForAppending(folder, path);
  let size: number;
  try {
    const found = fstatSync(fd);
    const refused = whyNotAppend(found);
    if (refused) throw new DevctlError('unsafe', `${path} is not safe to use: ${refused}`);
    // The newline goes first: so a line that a full disk has cut off costs no other one.
    const bytes = Buffer.from(found.size === 0 ? line : `\n${line}`);
    const written = writeSync(fd, bytes);
    if (written < bytes.length) {
      throw new DevctlError('records-unwritable', `cannot write ${path}: the disk is full`);
    }
    size = found.size + bytes.length;
  } finally {
    closeSync(fd);
  }
  if (size >= MOST_BYTES[part]) renameSync(path, olderPath(path));
}

/** The lines of a part, the oldest first, as values of JSON; undefined for those that are none. Never throws. */
export function readHistoryLines(folder: ProjectFolder, part: HistoryPart): readonly unknown[] {
  if (folderProblem(folder, 'history')) return [];
  const path = historyPath(folder, part);
  // In this order, because one becomes the other: then the newer one is in the older one too.
  const current = textOf(path);
  const older = textOf(olderPath(path));
  const isSame = current !== '' && older.startsWith(current);
  const lines = (isSame ? older : `${older}\n${current}`).split('\n');
  return lines.filter((line) => line !== '').map(toValue);
}

/** What is in the place of a file of the history and is not read. */
export function historyProblems(folder: ProjectFolder): readonly RecordProblem[] {
  const blocked = folderProblem(folder, 'history');
  if (blocked) return [blocked];
  return Object.keys(MOST_BYTES).flatMap((part) => {
    const path = historyPath(folder, part as HistoryPart);
    return [path, olderPath(path)].flatMap(refusedFileProblems);
  });
}

function textOf(path: string): string {
  const read = readOwnFile(path, MAX_READ_BYTES);
  return read.kind === 'content' ? read.bytes.toString('utf8') : '';
}

function toValue(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function openForAppending(folder: ProjectFolder, path: string): number {
  try {
    return openSync(path, appendFlags, 0o600);
  } catch (error) {
    // Nobody's records folder is made again for this: whoever has removed it wants it gone.
    if (errnoOf(error) !== 'ENOENT' || !existsSync(folder.pidsDir)) throw error;
    writableFolder(folder, 'history');
    return openSync(path, appendFlags, 0o600);
  }
}

function historyPath(folder: ProjectFolder, part: HistoryPart): string {
  return join(folder.pidsDir, 'history', `${part}.ndjson`);
}

function olderPath(path: string): string {
  return `${path}.1`;
}
