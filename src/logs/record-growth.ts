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

/** What is known of a log from the last time that it was looked at. */
export interface RecordedLog {
  readonly service: string;
  readonly path: string;
  /** Null: nobody has looked so far. */
  file: string | null;
  /** Up to here there is a note. */
  position: number;
  lookedAtMs: number;
  /** Size of the marks. */
  bytes: number;
}

/** Of a log that nobody has looked at. */
export function beginTimeIndex(service: string, path: string): RecordedLog {
  return { service, path, file: null, position: 0, lookedAtMs: 0, bytes: 0 };
}

/** Where there is no log, or something else in its place. */
const NO_FILE = '';

/**
 * Notes how far a log has grown since the last time.
 *
 * @returns `size`: how much of it is not rotated yet, in bytes
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
    // When it comes, all that is in it will be younger than this.
    target.file = NO_FILE;
    target.position = 0;
    target.lookedAtMs = now;
    return { grown: false, size: 0 };
  }
  const file = fileKey(found);
  const known = readLogLayout(folder, service);
  const map = layoutOf(known, file, Number(found.size));
  // Once it is as large again as it was, nothing would tell any more that it was cut.
  if (known?.file === file && known.base !== map.base) writeLogLayout(folder, service, map);
  const end = map.base + Number(found.size);
  const isOther = target.file !== file || end < target.position;
  if (isOther) takeUp(folder, target, file, end);
  const { lookedAtMs } = target;
  target.lookedAtMs = now;
  const size = end - map.start;
  if (end <= target.position) return { grown: isOther, size };
  // The time of the last write, which is earlier than now; unless somebody has set it.
  const modified = Math.ceil(Number(found.mtimeNs) / 1e6);
  const atMs = modified <= now && modified >= lookedAtMs ? modified : now;
  const withinMs = lookedAtMs === 0 ? null : Math.max(0, atMs - lookedAtMs);
  const fresh: TimeMark = {
    position: end,
    atMs: lookedAtMs === 0 ? Math.min(modified, now) : atMs,
    withinMs,
  };
  if (target.bytes >= TIME_INDEX_THIN_BYTES) {
    const marks = thinTimeMarks(readTimeMarks(folder, service, file), map.start);
    target.bytes = writeTimeMarks(folder, service, file, marks);
  }
  target.bytes += appendTimeMark(folder, service, fresh);
  target.position = end;
  return { grown: true, size };
}

/** A log that this process has not looked at so far, or another one in its place, or one that was cut. */
function takeUp(folder: ProjectFolder, target: RecordedLog, file: string, end: number): void {
  const marks = readTimeMarks(folder, target.service, file).filter(
    ({ position }) => position <= end,
  );
  target.bytes = writeTimeMarks(folder, target.service, file, marks);
  target.position = marks.at(-1)?.position ?? 0;
  // A new file had nothing in it when we last looked; of any other nobody has looked since its last note.
  if (target.file === null || marks.length > 0) target.lookedAtMs = 0;
  target.file = file;
}
