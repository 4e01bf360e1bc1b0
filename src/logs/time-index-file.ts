import { type BigIntStats, closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { appendFlags, writeFileAtomically } from '../project/atomic-file.ts';
import { isCount, isServiceName, isText } from '../project/field-checks.ts';
import { type ProjectFolder, writableFolder } from '../project/folder.ts';
import { readJsonFields } from '../project/json-record.ts';
import { readOwnFile } from '../project/safe-file.ts';
import {
  formatTimeIndexHeader,
  formatTimeMark,
  type LogLayout,
  parseTimeMarks,
  type TimeMark,
} from './time-index.ts';

/** From this size on, in bytes, the marks of a log are thinned. */
export const TIME_INDEX_THIN_BYTES = 256 * 1024;

const MAX_TIME_INDEX_BYTES = 4 * 1024 * 1024;

/** What tells a file from the one that had its name, and perhaps its inode, before. */
export function fileKey({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** The marks of a log; none where they are of another file, or nobody took any. Never throws. */
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
 * Adds a note to those that `writeNotes` has begun.
 *
 * @returns how many bytes it took
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
 * Replaces all marks. Not flushed: after a power failure times are worth little.
 *
 * @returns size of the marks in bytes
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

/** Where the bytes of a log are; null where nothing was ever moved. Never throws. */
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
 * Not flushed: with the map of a moment before a power failure no byte is lost, but times are wrong.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeLogLayout(folder: ProjectFolder, service: string, layout: LogLayout): void {
  writableFolder(folder, 'log-notes');
  writeFileAtomically(layoutPath(folder, service), `${JSON.stringify(layout)}\n`, {
    flushed: false,
  });
}

/** Where the beginning of a log is copied to, before it becomes the newest of the rotated ones. */
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
