import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { folderProblem, type ProjectFolder, writableFolder } from './folder.ts';
import {
  formatLegacyLine,
  LEGACY_FILES,
  type LegacyFile,
  type LegacyNumber,
  parseLegacyLine,
} from './legacy-lines.ts';
import {
  markOf,
  marksPath,
  readMarks,
  removeMarks,
  withoutOwnLines,
  writeMarks,
} from './legacy-marks.ts';
import { type RecordProblem, refusedFileProblems } from './record-problem.ts';
import { readOwnFile } from './safe-file.ts';
import type { ServiceRecord } from './service-record.ts';

/**
 * A number from `services.pids` or one of its companions. It has no start time: it is the weakest of
 * all records.
 */
export interface LegacyEntry extends LegacyNumber {
  /**
   * When the file was last written, in ms since the epoch: a process that started later has got a
   * reused number. For a number that stands in two files, the earlier time.
   */
  readonly writtenAtMs: number;
}

export interface LegacyRead {
  readonly entries: readonly LegacyEntry[];
  readonly problems: readonly RecordProblem[];
}

/**
 * Reads the files that an old start-dev.sh, or devctl itself, left behind. Never throws for a bad file:
 * it becomes a problem.
 *
 * A file whose time lies in the future (the clock was set back since, or the file is another machine's)
 * does not say how old its processes are, so its numbers are ignored. This is a problem only for
 * numbers that devctl did not write, because its own are in the records as well.
 */
export function readLegacyFiles(folder: ProjectFolder): LegacyRead {
  const entries = new Map<string, LegacyEntry>();
  const problems: RecordProblem[] = [];
  const blocked = folderProblem(folder, null);
  if (blocked) return { entries: [], problems: [blocked] };
  problems.push(...refusedFileProblems(marksPath(folder)));

  for (const kind of KINDS) {
    const path = legacyPath(folder, kind);
    const file = readOwnFile(path);
    if (file.kind === 'refused') {
      problems.push({ path, service: null, kind: 'refused', reason: file.reason });
    }
    if (file.kind !== 'content') continue;
    if (file.mtimeMs > Date.now() + COARSE_MS) {
      const others = withoutOwnLines(file.bytes, readMarks(folder)[kind]);
      if (numbersOfOthers(others, new Set()) !== '') {
        problems.push({ path, service: null, kind: 'future', reason: IN_THE_FUTURE });
      }
      continue;
    }
    let ignored = 0;
    for (const line of file.bytes.toString().split('\n')) {
      const parsed = parseLegacyLine(line);
      if (parsed.kind === 'number') remember(entries, parsed.number, file.mtimeMs);
      if (parsed.kind === 'unknown') ignored += 1;
    }
    if (ignored > 0) {
      const reason = `lines ignored that name no process: ${ignored}`;
      problems.push({ path, service: null, kind: 'partial', reason });
    }
  }
  return { entries: [...entries.values()], problems };
}

/** Tells whether the files name a process that devctl has not written into them. */
export function hasLinesOfOthers(folder: ProjectFolder): boolean {
  const marks = readMarks(folder);
  return KINDS.some((kind) => {
    const file = readOwnFile(legacyPath(folder, kind));
    if (file.kind !== 'content') return false;
    return numbersOfOthers(withoutOwnLines(file.bytes, marks[kind]), new Set()) !== '';
  });
}

/**
 * Brings the three files in step with the records, for scripts that read them. Lines of other writers
 * stay behind our lines, and the file keeps its time, until `removeLegacyFiles`: such lines may be all
 * that is known of a process. Files with nothing in them are removed.
 *
 * @returns the files that were left alone because they are not files of ours
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeLegacyFiles(
  folder: ProjectFolder,
  records: readonly ServiceRecord[],
): readonly RecordProblem[] {
  writableFolder(folder, null);
  const problems: RecordProblem[] = [];
  const marks = readMarks(folder);
  const pids = new Set(records.flatMap(({ leader }) => (leader ? [leader.pid] : [])));
  const writes: (() => void)[] = [];
  for (const kind of KINDS) {
    const path = legacyPath(folder, kind);
    const file = readOwnFile(path);
    if (file.kind === 'refused') {
      problems.push({ path, service: null, kind: 'refused', reason: file.reason });
      continue;
    }
    const ours = formatLegacyLine(kind, records);
    const old = file.kind === 'content' ? file.bytes : Buffer.alloc(0);
    const foreign = numbersOfOthers(withoutOwnLines(old, marks[kind]), pids);
    const content = ours + foreign;
    const mtimeMs = foreign !== '' && file.kind === 'content' ? file.mtimeMs : undefined;
    marks[kind] = [markOf(ours), ...marks[kind].slice(0, 1)];
    if (content === '') writes.push(() => removeIfThere(path));
    else if (content !== old.toString()) {
      // Not flushed, because after a power failure there is no process left to find.
      writes.push(() => writeFileAtomically(path, content, { mtimeMs, flushed: false }));
    }
  }

  if (writes.length === 0) return problems;
  // The marks come before the files, and keep the mark of the old lines: after a crash in between, our
  // own lines must not pass for those of another writer, which stay for ever.
  writeMarks(folder, marks);
  for (const write of writes) write();
  if (pids.size === 0) removeMarks(folder);
  return problems;
}

/**
 * Removes the three files, whatever they hold. Call it only after the proof that none of their
 * processes is alive. A missing file is fine.
 *
 * @throws DevctlError 'records-unwritable'
 */
export function removeLegacyFiles(folder: ProjectFolder): void {
  if (folderProblem(folder, null)) return;
  for (const kind of KINDS) removeIfThere(legacyPath(folder, kind));
  removeMarks(folder);
}

/**
 * Tolerance for a time in the future: FAT stores whole even seconds, and a network file system uses the
 * clock of another machine.
 */
const COARSE_MS = 2_500;
const IN_THE_FUTURE =
  "written in the future, as the clock says: its numbers may be strangers' now, so nothing is ended because of them; if they are not, touch the file";

const KINDS = Object.keys(LEGACY_FILES) as readonly LegacyFile[];

function legacyPath(folder: ProjectFolder, kind: LegacyFile): string {
  return join(folder.pidsDir, LEGACY_FILES[kind]);
}

/** Returns the lines that name a process of another writer. All other lines are dropped. */
function numbersOfOthers(text: string, ours: ReadonlySet<number>): string {
  const lines = text.split(/\r?\n/).filter((line) => {
    const parsed = parseLegacyLine(line);
    return parsed.kind === 'number' && !ours.has(parsed.number.pid);
  });
  return lines.map((line) => `${line}\n`).join('');
}

function remember(
  entries: Map<string, LegacyEntry>,
  number: LegacyNumber,
  writtenAtMs: number,
): void {
  const key = `${number.kind}:${number.pid}`;
  const known = entries.get(key);
  entries.set(key, {
    ...number,
    service: known?.service ?? number.service,
    writtenAtMs: Math.min(known?.writtenAtMs ?? writtenAtMs, writtenAtMs),
  });
}
