import { join } from 'node:path';
import type { Identity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import type { ProjectFolder } from './folder.ts';
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
import { folderProblem, writableFolder } from './records-folder.ts';
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

/** The facts that decide whether the numbers in a file are believed. */
export interface LegacyFacts {
  /** The leaders of our own records: a line with such a number is a line of ours, whatever became of the marks. */
  readonly leaders: ReadonlySet<number>;
  /**
   * When the latest record of another machine, PID namespace or boot was written, in ms since the epoch; null: there
   * is none. A script may have run there as well, so an older file says nothing here.
   */
  readonly elsewhereAtMs: number | null;
  /** When this machine was booted, in ms since the epoch. */
  readonly bootedAtMs: number;
}

/**
 * Reads the lines that an old start-dev.sh has left behind. Lines that devctl wrote itself are no evidence, because
 * the records say the same with a start time. Never throws for a bad file: it becomes a problem.
 *
 * A number alone is nothing, so the time of its file must fit: a file whose time lies in the future, before this boot,
 * or before a record of another place does not say which processes it means. Its numbers are named, and not believed.
 */
export function readLegacyFiles(folder: ProjectFolder, facts: LegacyFacts): LegacyRead {
  const entries = new Map<string, LegacyEntry>();
  const problems: RecordProblem[] = [];
  const marks = readMarks(folder);
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
    const others = withoutOwnLines(file.bytes, marks[kind]);
    const numbers = numbersOfOthers(others, facts.leaders);
    const doubt = numbers === '' ? null : whyDoubted(file.mtimeMs, facts);
    if (doubt)
      problems.push({
        path,
        service: null,
        ...doubt,
        reason: `${doubt.reason}: ${listed(numbers)}`,
      });
    else {
      for (const line of numbers.split('\n')) {
        const parsed = parseLegacyLine(line);
        if (parsed.kind === 'number') remember(entries, parsed.number, file.mtimeMs);
      }
    }
    const ignored = others
      .split('\n')
      .filter((line) => parseLegacyLine(line).kind === 'unknown').length;
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
 * Brings the three files in step with the records whose leader lives, for scripts that read them. Lines of other writers
 * stay behind our lines, and the file keeps its time, until `removeLegacyFiles`: such lines may be all
 * that is known of a process. Files with nothing in them are removed.
 *
 * @param isAlive tells whether a leader is alive at this moment: a script ends what a line names
 * @returns the files that were left alone because they are not files of ours
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeLegacyFiles(
  folder: ProjectFolder,
  records: readonly ServiceRecord[],
  isAlive: (leader: Identity) => boolean,
): readonly RecordProblem[] {
  writableFolder(folder, null);
  const problems: RecordProblem[] = [];
  const marks = readMarks(folder);
  const living = records.filter(({ leader }) => leader !== null && isAlive(leader));
  const pids = new Set(leaderPids(records));
  const writes: (() => void)[] = [];
  for (const kind of KINDS) {
    const path = legacyPath(folder, kind);
    const file = readOwnFile(path);
    if (file.kind === 'refused') {
      problems.push({ path, service: null, kind: 'refused', reason: file.reason });
      continue;
    }
    const ours = formatLegacyLine(kind, living);
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
  if (living.length === 0) removeMarks(folder);
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

/** Says why the numbers in a file are not believed; null: its time fits. */
function whyDoubted(
  mtimeMs: number,
  { elsewhereAtMs, bootedAtMs }: LegacyFacts,
): Pick<RecordProblem, 'kind' | 'reason'> | null {
  if (mtimeMs > Date.now() + COARSE_MS) {
    return {
      kind: 'unbelieved',
      reason: `it is written in the future, as the clock says, ${IF_RIGHT}`,
    };
  }
  if (elsewhereAtMs !== null && mtimeMs <= elsewhereAtMs + COARSE_MS) {
    return {
      kind: 'unbelieved',
      reason: `records of another machine or container are later, ${IF_RIGHT}`,
    };
  }
  if (mtimeMs < bootedAtMs - COARSE_MS) {
    return {
      kind: 'outdated',
      reason: 'it was written before the last boot, so nothing is ended because of it',
    };
  }
  return null;
}

const IF_RIGHT = 'so nothing is ended because of it (if it is right, touch the file)';

/** Lines that are named, at most: a script may have written thousands. */
const MOST_NAMED = 10;

function listed(numbers: string): string {
  const lines = numbers.trimEnd().split('\n');
  const more = lines.length - MOST_NAMED;
  return [...lines.slice(0, MOST_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

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

/** The pids of the leaders of records, and of their process groups. */
export function leaderPids(
  records: readonly Pick<ServiceRecord, 'leader' | 'terminal'>[],
): readonly number[] {
  return records.flatMap(({ leader, terminal }) =>
    [leader, terminal?.session].flatMap((identity) => (identity ? [identity.pid] : [])),
  );
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
