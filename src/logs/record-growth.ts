import { statSync } from 'node:fs';
import type { ProjectFolder } from '../project/folder.ts';
import { layoutOf, type TimeMark, thinTimeMarks } from './time-index.ts';
import {
  appendTimeMark,
  fileKey,
  readLogLayout,
  readTimeMarks,
  TIME_INDEX_THIN_BYTES,
  writeLogLayout,
  writeTimeMarks,
} from './time-index-file.ts';

/** A log with the state of its time index, kept from one look at the log to the next. */
export interface RecordedLog {
  readonly service: string;
  readonly path: string;
  /** Key of the file (`fileKey`); null before the first look, empty when there was no file. */
  file: string | null;
  /** Position of the last time mark. */
  position: number;
  /** When devctl last looked at the log, since the epoch, in ms; 0 when no look counts. */
  lookedAtMs: number;
  /** Size of the time index in bytes; 0 until the first mark, because a log that nobody writes to needs none. */
  bytes: number;
}

/** Builds the state of a log before the first look. */
export function beginTimeIndex(service: string, path: string): RecordedLog {
  return { service, path, file: null, position: 0, lookedAtMs: 0, bytes: 0 };
}

/** Key of a log that does not exist, or is not a regular file. */
const NO_FILE = '';

/**
 * Adds a time mark if a log has grown since the last look.
 *
 * @returns `size`: bytes of the log that are not rotated yet
 * @throws DevctlError 'records-unwritable', 'unsafe', and what open(2) and write(2) fail with
 */
export function recordGrowth(
  folder: ProjectFolder,
  target: RecordedLog,
): { readonly grown: boolean; readonly size: number } {
  const found = statSync(target.path, { bigint: true, throwIfNoEntry: false });
  const { service } = target;
  const now = Date.now();
  if (!found?.isFile()) {
    // When the file appears, all of its bytes are younger than this look.
    target.file = NO_FILE;
    target.position = 0;
    target.lookedAtMs = now;
    return { grown: false, size: 0 };
  }
  const file = fileKey(found);
  const known = readLogLayout(folder, service);
  const layout = layoutOf(known, file, Number(found.size));
  // Written now, because once the file has its old size again nothing tells that it was emptied.
  if (known?.file === file && known.base !== layout.base) writeLogLayout(folder, service, layout);
  const end = layout.base + Number(found.size);
  const isOther = target.file !== file || end < target.position;
  if (isOther) takeUp(folder, target, file, end);
  const { lookedAtMs } = target;
  target.lookedAtMs = now;
  const size = end - layout.start;
  if (end <= target.position) return { grown: isOther, size };
  // The time of the last write is more exact than now, unless somebody has set it (utimensat(2)).
  // It is rounded up, as a reader tells it until there is this mark, and now is rounded down: both may be the same moment.
  const modified = Math.ceil(Number(found.mtimeNs) / 1e6);
  const latest = now + 1;
  const atMs = modified <= latest && modified >= lookedAtMs ? modified : now;
  const withinMs = lookedAtMs === 0 ? null : Math.max(0, atMs - lookedAtMs);
  const fresh: TimeMark = {
    position: end,
    atMs: lookedAtMs === 0 ? Math.min(modified, latest) : atMs,
    withinMs,
  };
  if (target.bytes >= TIME_INDEX_THIN_BYTES) {
    const marks = thinTimeMarks(readTimeMarks(folder, service, file), layout.start);
    target.bytes = writeTimeMarks(folder, service, file, marks);
  }
  if (target.bytes === 0) target.bytes = writeTimeMarks(folder, service, file, [fresh]);
  else target.bytes += appendTimeMark(folder, service, fresh);
  target.position = end;
  return { grown: true, size };
}

/** Begins with a file anew: on the first look, when another file has its name, or when it was emptied. */
function takeUp(folder: ProjectFolder, target: RecordedLog, file: string, end: number): void {
  const known = readTimeMarks(folder, target.service, file);
  const marks = known.filter(({ position }) => position <= end);
  target.bytes = known.length === 0 ? 0 : writeTimeMarks(folder, target.service, file, marks);
  target.position = marks.at(-1)?.position ?? 0;
  // A new file was empty at our last look. For any other file, nobody has looked since its last mark.
  if (target.file === null || marks.length > 0) target.lookedAtMs = 0;
  target.file = file;
}
