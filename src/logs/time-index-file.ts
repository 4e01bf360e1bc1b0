import { type BigIntStats, closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { appendFlags, writeFileAtomically } from '../project/atomic-file.ts';
import { isCount, isServiceName, isText } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { readJsonFields } from '../project/json-record.ts';
import { writableFolder } from '../project/records-folder.ts';
import { readOwnFile } from '../project/safe-file.ts';
import {
  formatTimeIndexHeader,
  formatTimeMark,
  type LogLayout,
  parseTimeMarks,
  type TimeMark,
} from './time-index.ts';

/** Size from which on the time index of a log is thinned. */
export const TIME_INDEX_THIN_BYTES = 256 * 1024;

/** Size beyond which a time index is not read, because devctl has not written it. */
const MAX_TIME_INDEX_BYTES = 4 * 1024 * 1024;

/** Builds the key that tells a file from an earlier file with the same name, and perhaps the same inode. */
export function fileKey({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Reads the time marks of a log; none when there are none for this file. Never throws. */
export function readTimeMarks(
  folder: ProjectFolder,
  service: string,
  file: string,
): readonly TimeMark[] {
  const read = readOwnFile(timeMarksPath(folder, service), MAX_TIME_INDEX_BYTES);
  if (read.kind !== 'content') return [];
  const parsed = parseTimeMarks(read.bytes.toString('utf8'));
  return parsed.file === file ? parsed.marks : [];
}

/**
 * Adds a mark to the time index that `writeTimeMarks` has begun.
 *
 * @returns size of the mark in bytes
 * @throws what open(2) and write(2) fail with
 */
export function appendTimeMark(folder: ProjectFolder, service: string, mark: TimeMark): number {
  const fd = openSync(timeMarksPath(folder, service), appendFlags, 0o600);
  try {
    return writeSync(fd, formatTimeMark(mark));
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces all marks of a log. The file is not flushed, because after a power failure times are worth little.
 *
 * @returns size of the time index in bytes
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeTimeMarks(
  folder: ProjectFolder,
  service: string,
  file: string,
  marks: readonly TimeMark[],
): number {
  writableFolder(folder, 'log-notes');
  const text = formatTimeIndexHeader(file) + marks.map(formatTimeMark).join('');
  writeFileAtomically(timeMarksPath(folder, service), text, { flushed: false });
  return Buffer.byteLength(text);
}

/** Reads the layout of a log; null when the log was never rotated. Never throws. */
export function readLogLayout(folder: ProjectFolder, service: string): LogLayout | null {
  const { file, base, start, moving } = readJsonFields(layoutPath(folder, service)) ?? {};
  const isWhole =
    isText(file) &&
    isCount(base) &&
    isCount(start) &&
    base <= start &&
    (moving === null || (isCount(moving) && moving >= start));
  return isWhole ? { file, base, start, moving } : null;
}

/**
 * Writes the layout of a log. The file is not flushed: with an older layout after a power failure no byte is
 * lost, only the times are wrong.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeLogLayout(folder: ProjectFolder, service: string, layout: LogLayout): void {
  writableFolder(folder, 'log-notes');
  writeFileAtomically(layoutPath(folder, service), `${JSON.stringify(layout)}\n`, {
    flushed: false,
  });
}

/** Returns the path that the beginning of a log is copied to, before it becomes the newest rotated file. */
export function movingPath(log: string): string {
  return `${log}.moving`;
}

function timeMarksPath(folder: ProjectFolder, service: string): string {
  return join(folder.pidsDir, 'log-notes', `${checked(service)}.times`);
}

function layoutPath(folder: ProjectFolder, service: string): string {
  return join(folder.pidsDir, 'log-notes', `${checked(service)}.map`);
}

function checked(service: string): string {
  if (!isServiceName(service)) throw new Error(`not a service name: ${JSON.stringify(service)}`);
  return service;
}
