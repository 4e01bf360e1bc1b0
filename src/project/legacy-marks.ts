import { hash } from 'node:crypto';
import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { isListOf, isText } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { readJsonFields } from './json-record.ts';
import type { LegacyFile } from './legacy-lines.ts';

/**
 * `.pids/founding.json`: which lines of the legacy files devctl wrote itself. The legacy files have no
 * room for this, because scripts read a number from every line.
 *
 * A mark is the length and the hash of the bytes that devctl wrote at the beginning of a file. Lines
 * that a script appends come after these bytes. When a script writes the file anew, no mark fits any
 * more.
 */
export type LegacyMarks = Record<LegacyFile, readonly string[]>;

/** Makes the mark for content that devctl is about to write. */
export function markOf(content: string | Buffer): string {
  return `${Buffer.byteLength(content)}:${hash('sha256', content)}`;
}

/** Returns what comes after our own lines; the whole content when no mark fits. */
export function withoutOwnLines(content: Buffer, marks: readonly string[]): string {
  const lengths = marks
    .filter((mark) => markOf(content.subarray(0, lengthOf(mark))) === mark)
    .map(lengthOf);
  return content.subarray(Math.max(0, ...lengths)).toString();
}

/** Reads the marks. A missing or unreadable file has none. */
export function readMarks(folder: ProjectFolder): LegacyMarks {
  const fields = readJsonFields(marksPath(folder));
  const marks = (kind: LegacyFile) => {
    const value = fields?.[kind];
    return isListOf(value, isText) ? value : [];
  };
  return { pids: marks('pids'), groups: marks('groups'), services: marks('services') };
}

/** @throws DevctlError 'records-unwritable' */
export function writeMarks(folder: ProjectFolder, marks: LegacyMarks): void {
  writeFileAtomically(marksPath(folder), `${JSON.stringify(marks)}\n`, { flushed: false });
}

/** @throws DevctlError 'records-unwritable' */
export function removeMarks(folder: ProjectFolder): void {
  removeIfThere(marksPath(folder));
}

function lengthOf(mark: string): number {
  return Math.max(Number.parseInt(mark, 10), 0);
}

/** The path of the file with the marks. */
export function marksPath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'founding.json');
}
