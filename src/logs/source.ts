/*
 * The files of this folder. Services write to their logs themselves; devctl records when, rotates and reads.
 *
 *   folder           makes the folders that services write to
 *   recorder         follows the growth of all logs: adds time marks, and rotates
 *   record-growth    one look at one log: how far it has grown
 *   time-index       time marks, which give lines their times, and the layout of a rotated log
 *   time-index-file  both on disk, in `.pids/log-notes/`
 *   rotate           moves the beginning of a log to `NAME.log.1`, while the service goes on writing
 *   oversized        logs that nobody rotates, for `devctl doctor`
 *   source           the bytes of one log over all of its files
 *   line-cutter      cuts bytes into lines
 *   log-range        where the wanted part of a log begins: found from its end
 *   reader           the lines of one log with their times: first the old ones, then new ones
 *   tolerant-reader  a reader that reports failures instead of throwing them
 *   follow           gives out new lines of several logs as they are written
 *   live-tail        the last lines of one log and new ones, for the monitor
 *   tail             the last lines of one file
 *   quote            how much of a log is quoted where a service has failed
 *   services         the services whose logs a command means
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type LogLayout, layoutOf, type TimeMark } from './time-index.ts';
import { fileKey, movingPath, readLogLayout, readTimeMarks } from './time-index-file.ts';

/** The bytes of one log, over all files that they are in, by position (`TimeMark`). */
export interface LogSource {
  readonly service: string;
  /** Measures the log as it is now; null when there is no log. */
  extent(): LogExtent | null;
  /**
   * Reads the bytes from `position` on into `into`, at most as many as it holds.
   *
   * @returns the bytes, which lie in `into`, and the position of the first byte, which is larger than the one
   *   asked for if that byte is gone; null when there is no byte at or behind `position`
   * @throws what open(2) and read(2) fail with; ELOOP for a symbolic link
   */
  read(
    position: number,
    into: Buffer,
  ): { readonly position: number; readonly bytes: Buffer } | null;
  timeMarks(): readonly TimeMark[];
  /** Finds the position of the byte at `offset` in the file that the service writes to. */
  positionAt(offset: number): number;
  /**
   * Tells whether a rotation is at work. `extent`, `read` and `positionAt` wait for its end, so a caller that
   * must not wait asks this first.
   */
  isMoving(): boolean;
}

/** The size of a log at one moment. */
export interface LogExtent {
  /** Key of the file that the service writes to (`fileKey`). */
  readonly file: string;
  /** Position of the oldest byte that is kept. */
  readonly from: number;
  /** Position of the oldest byte in the file that the service writes to. */
  readonly live: number;
  /** Position behind the last byte. */
  readonly to: number;
  /** When something was last written: ms since the epoch. */
  readonly modifiedMs: number;
}

/** One file with a part of the log. */
interface Segment {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  /** Position of the file's first byte. */
  readonly base: number;
}

interface LogFiles extends LogExtent {
  /** The oldest first. */
  readonly segments: readonly Segment[];
}

/** The files of a log, and the layout that they were found by. */
interface FoundLog {
  /** The layout on disk, which changes when bytes are moved. */
  readonly recorded: LogLayout;
  readonly layout: LogLayout;
  readonly files: LogFiles;
}

/** Most tries of a read while a rotation is at work: for 10 s. */
const MOST_TRIES = 2_000;
const PAUSE_MS = 5;
/** Most numbers of rotated files that may be missing in a row, because a rotation was killed. */
const MOST_MISSING = 2;
/** Size of the first block of a log. While that block is empty, the hole has not been taken out. */
const BLOCK_BYTES = 4096;

/**
 * Opens the log of a service for reading by position.
 *
 * @param path absolute path of the log
 * @param mostTries 0 for the process that rotates the log: nobody else would finish the rotation it waits for
 */
export function openLogSource(
  folder: ProjectFolder,
  service: string,
  path: string,
  mostTries = MOST_TRIES,
): LogSource {
  const find = (): FoundLog | null => {
    const found = statOf(path);
    if (!found) return null;
    const file = fileKey(found);
    const size = Number(found.size);
    const recorded = readLogLayout(folder, service);
    const layout = layoutOf(recorded, file, size);
    const live = { path, from: layout.start, to: layout.base + size, base: layout.base };
    const older = rotatedBefore(path, layout.start);
    return {
      recorded: recorded?.file === file ? recorded : layout,
      layout,
      files: {
        file,
        segments: [...older, live],
        from: older[0]?.from ?? layout.start,
        live: layout.start,
        to: Math.max(live.to, layout.start),
        // Rounded up, so that no byte was written later.
        modifiedMs: Math.ceil(Number(found.mtimeNs) / 1e6),
      },
    };
  };

  /** The layout of a rotation that nobody carries on, which is waited for only once. */
  let abandoned: LogLayout | null = null;

  /** Carries out `look` on files whose bytes are not moved meanwhile. */
  const steadily = <Result>(look: (files: LogFiles) => Result): Result | null => {
    for (let tries = 0; ; tries += 1) {
      const found = find();
      if (!found) return null;
      const { layout } = found;
      const isLast = tries >= mostTries;
      if (layout.moving !== null && !isLast && !(abandoned && isSameLayout(abandoned, layout))) {
        pause();
        continue;
      }
      if (layout.moving !== null) abandoned = layout;
      const result = look(layout.moving === null ? found.files : filesInRotation(found));
      const after = readLogLayout(folder, service);
      if (isLast || after?.file !== layout.file || isSameLayout(after, found.recorded)) {
        return result;
      }
    }
  };

  return {
    service,
    extent: () => steadily(({ segments: _, ...extent }) => extent),
    read: (position, into) => steadily(({ segments }) => readFrom(segments, position, into)),
    timeMarks() {
      const found = statOf(path);
      return found ? readTimeMarks(folder, service, fileKey(found)) : [];
    },
    positionAt: (offset) => (steadily(({ segments }) => segments.at(-1)?.base) ?? 0) + offset,
    isMoving: () => find()?.layout.moving != null,
  };
}

/**
 * Finds the files of a log whose rotation was killed in the middle: the files themselves show which of the
 * steps of `rotateLog` were done.
 */
function filesInRotation({ layout, files }: Pick<FoundLog, 'layout' | 'files'>): LogFiles {
  const live = files.segments.at(-1);
  const { base, start, moving } = layout;
  if (!live || moving === null) return files;
  const behind = { ...live, from: moving };
  const copy = movingPath(live.path);
  if (statOf(copy)) {
    const older = files.segments.slice(0, -1);
    const segments = [...older, { path: copy, from: start, to: moving, base: start }, behind];
    return { ...files, segments };
  }
  const older = rotatedBefore(live.path, moving);
  const isTakenOut = base === start && !beginsEmpty(live.path);
  const to = isTakenOut ? live.to - base + moving : live.to;
  const segments = [...older, { ...behind, to, base: isTakenOut ? moving : base }];
  return { ...files, segments, from: older[0]?.from ?? moving, live: moving, to };
}

function beginsEmpty(path: string): boolean {
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  return readAt(path, block, 0) === 0 || block.every((byte) => byte === 0);
}

function readFrom(
  segments: readonly Segment[],
  position: number,
  into: Buffer,
): { readonly position: number; readonly bytes: Buffer } | null {
  const segment = segments.find(({ to }) => position < to);
  if (!segment) return null;
  const from = Math.max(position, segment.from);
  const room = into.subarray(0, Math.min(into.length, segment.to - from));
  const count = readAt(segment.path, room, from - segment.base);
  return count > 0 ? { position: from, bytes: room.subarray(0, count) } : null;
}

/** Lists the rotated files, `web.log.2`, `web.log.1`: each ends where the next one begins. */
function rotatedBefore(path: string, start: number): readonly Segment[] {
  const segments: Segment[] = [];
  let to = start;
  for (let number = 1, missing = 0; missing <= MOST_MISSING; number += 1) {
    const found = statOf(`${path}.${number}`);
    if (!found) {
      missing += 1;
      continue;
    }
    missing = 0;
    const from = to - Number(found.size);
    segments.unshift({ path: `${path}.${number}`, from, to, base: from });
    to = from;
  }
  return segments;
}

function statOf(path: string) {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.isFile() ? found : null;
}

function readAt(path: string, into: Buffer, offset: number): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) return 0;
    return readSync(fd, into, 0, into.length, offset);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isSameLayout(one: LogLayout, other: LogLayout): boolean {
  return one.base === other.base && one.start === other.start && one.moving === other.moving;
}

/** Blocks the thread for a moment: a rotation takes some milliseconds, and a read can do nothing meanwhile. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
