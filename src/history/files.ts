/*
 * The files of this folder. `.pids/history/` keeps what services used, and what happened to them:
 *
 *   samples       the data: one sample of all services
 *   usage         computes a sample from two scans
 *   sampler       takes samples from the scans of the witness
 *   buckets       gathers samples of ten seconds or a minute into one
 *   sample-lines  a sample as a line of text; several files of samples as one row
 *   events        state changes, breaches, and the lives of supervisors
 *   files         the files on disk: appended to, renamed when they are large
 *   writer        writes samples and events
 *   read          reads both
 *   per-second    samples at even distances, for curves
 */
import { closeSync, existsSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { appendFlags } from '../project/atomic-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type RecordProblem, refusedFileProblems } from '../project/record-problem.ts';
import { folderProblem, writableFolder } from '../project/records-folder.ts';
import { readOwnFile, whyNotAppend } from '../project/safe-file.ts';

/** A part of a project's history: three rows of samples, coarser the longer they are kept, and the events. */
export type HistoryPart = 'recent' | 'hours' | 'days' | 'events';

/**
 * Size in bytes from which on the next line begins a new file. One older file is kept, so each part takes at
 * most twice as much.
 */
const MOST_BYTES: Readonly<Record<HistoryPart, number>> = {
  recent: 512 * 1024,
  hours: 512 * 1024,
  days: 512 * 1024,
  events: 512 * 1024,
};

/** Size beyond which a file is not read, because devctl has not written it. */
const MAX_READ_BYTES = 4 * 1024 * 1024;

/**
 * Adds a line to a part of the history, in one write. The file is not flushed, because after a power failure
 * the last seconds are worth little.
 *
 * @param line JSON without a newline in it, or several of them, each on its own line
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
    // The newline goes first, so that a line that a full disk has cut off does not spoil the next one.
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

/** Reads the lines of a part as JSON values, the oldest first; undefined for a malformed line. Never throws. */
export function readHistoryLines(folder: ProjectFolder, part: HistoryPart): readonly unknown[] {
  if (folderProblem(folder, 'history')) return [];
  const path = historyPath(folder, part);
  // The newer file first, because it may be renamed to the older one meanwhile. Then it is read twice.
  const current = textOf(path);
  const older = textOf(olderPath(path));
  const isSame = current !== '' && older.startsWith(current);
  const lines = (isSame ? older : `${older}\n${current}`).split('\n');
  return lines.filter((line) => line !== '').map(toValue);
}

/** Lists the files of the history that are not read, because they are not safe to use. */
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
    // The records folder is not made again for this, because somebody who removed it wants it gone.
    if (errnoOf(error) !== 'ENOENT' || !existsSync(folder.pidsDir)) throw error;
    writableFolder(folder, 'history');
    return openSync(path, appendFlags, 0o600);
  }
}

/** Tells whether a supervisor has begun in this project before, as far as its records say. */
export function hasHistory(folder: ProjectFolder): boolean {
  return existsSync(historyPath(folder, 'events'));
}

function historyPath(folder: ProjectFolder, part: HistoryPart): string {
  return join(folder.pidsDir, 'history', `${part}.ndjson`);
}

function olderPath(path: string): string {
  return `${path}.1`;
}
