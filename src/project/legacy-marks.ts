import { hash } from 'node:crypto';
import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { isListOf, isText } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { readJsonFields } from './json-record.ts';
import type { LegacyFile } from './legacy-lines.ts';

/**
 * `.pids/founding.json`: which lines of the founding plan's files we wrote ourselves. The files have
 * no room for it: scripts read a number from every line.
 *
 * A mark is the length and the hash of what we wrote at the beginning of a file. What a script
 * appends comes after it; a script that writes the file anew leaves nothing that fits the mark.
 */
export type LegacyMarks = Record<LegacyFile, readonly string[]>;

export function markOf(content: string | Buffer): string {
  return `${Buffer.byteLength(content)}:${hash('sha256', content)}`;
}

/** What comes after our own lines; everything, where they are not ours any more. */
export function withoutMarked(content: Buffer, marks: readonly string[]): string {
  const lengths = marks
    .filter((mark) => markOf(content.subarray(0, lengthOf(mark))) === mark)
    .map(lengthOf);
  return content.subarray(Math.max(0, ...lengths)).toString();
}

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

/** Where the marks are. */
export function marksPath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'founding.json');
}
