import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type LogLayout, layoutOf, type TimeMark } from './time-index.ts';
import { fileKey, movingPath, readLogLayout, readTimeMarks } from './time-index-file.ts';

/** The output of one service, over all files that it is in, by position (`LogNote`). */
export interface LogSource {
  readonly service: string;
  /** What there is of it now; null where there is no log. */
  extent(): LogExtent | null;
  /**
   * The bytes from `position` on, at most as many as `into` holds. They lie in `into`.
   *
   * @returns null where there is nothing at or behind it; `position` is larger than the one asked for
   *   where what was asked for is gone
   * @throws what open(2) and read(2) fail with; ELOOP for a symbolic link
   */
  read(
    position: number,
    into: Buffer,
  ): { readonly position: number; readonly bytes: Buffer } | null;
  timeMarks(): readonly TimeMark[];
  /** Of a byte of the file that the service writes to, by its place in that file. */
  positionAt(offset: number): number;
  /**
   * Is its beginning being moved to another file just now? Both questions above wait for the end of that; who
   * must not wait asks this one first.
   */
  isMoving(): boolean;
}

export interface LogExtent {
  /** Tells this file from another one that gets its name. */
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

interface Layout extends LogExtent {
  readonly segments: readonly Segment[];
}

interface Laid {
  /** As it was written down: it changes when something is moved. */
  readonly known: LogLayout;
  readonly map: LogLayout;
  readonly layout: Layout;
}

/** How often a read is tried again because bytes were being moved to another file meanwhile: for 10 s. */
const MOST_TRIES = 2_000;
const PAUSE_MS = 5;
/** Of the numbers of rotated files so many may be missing, where a rotation was cut off. */
const MOST_MISSING = 2;
/** Of a file whose first block is empty nothing has been taken out yet. */
const BLOCK_BYTES = 4096;

/**
 * @param path absolute path of the log
 * @param mostTries 0 for whoever moves it himself: what he finds half moved, nobody else will carry on
 */
export function openLogSource(
  folder: ProjectFolder,
  service: string,
  path: string,
  mostTries = MOST_TRIES,
): LogSource {
  const layout = (): Laid | null => {
    const found = statOf(path);
    if (!found) return null;
    const file = fileKey(found);
    const size = Number(found.size);
    const known = readLogLayout(folder, service);
    const map = layoutOf(known, file, size);
    const live = { path, from: map.start, to: map.base + size, base: map.base };
    const older = rotatedBefore(path, map.start);
    return {
      known: known?.file === file ? known : map,
      map,
      layout: {
        file,
        segments: [...older, live],
        from: older[0]?.from ?? map.start,
        live: map.start,
        to: Math.max(live.to, map.start),
        // Rounded up: not later than this.
        modifiedMs: Math.ceil(Number(found.mtimeNs) / 1e6),
      },
    };
  };

  /** A move that nobody carries on: it is waited for once. */
  let abandoned: LogLayout | null = null;

  /** Carries out `look` on a layout that stays the same while it does. */
  const steadily = <Seen>(look: (layout: Layout) => Seen): Seen | null => {
    for (let tries = 0; ; tries += 1) {
      const before = layout();
      if (!before) return null;
      const { map } = before;
      const isLast = tries >= mostTries;
      if (map.moving !== null && !isLast && !(abandoned && sameMap(abandoned, map))) {
        pause();
        continue;
      }
      if (map.moving !== null) abandoned = map;
      const seen = look(map.moving === null ? before.layout : settle(before));
      const after = readLogLayout(folder, service);
      if (isLast || after?.file !== map.file || sameMap(after, before.known)) return seen;
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
    isMoving: () => layout()?.map.moving != null,
  };
}

/**
 * Whoever was moving the beginning has died in the middle (`rotateLog` has the steps): the files themselves
 * say how far it was.
 */
function settle({ map, layout }: Pick<Laid, 'map' | 'layout'>): Layout {
  const live = layout.segments.at(-1);
  const { base, start, moving } = map;
  if (!live || moving === null) return layout;
  const behind = { ...live, from: moving };
  const copy = movingPath(live.path);
  if (statOf(copy)) {
    const older = layout.segments.slice(0, -1);
    const segments = [...older, { path: copy, from: start, to: moving, base: start }, behind];
    return { ...layout, segments };
  }
  const older = rotatedBefore(live.path, moving);
  const isTakenOut = base === start && !beginsEmpty(live.path);
  const to = isTakenOut ? live.to - base + moving : live.to;
  const segments = [...older, { ...behind, to, base: isTakenOut ? moving : base }];
  return { ...layout, segments, from: older[0]?.from ?? moving, live: moving, to };
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

/** The older files, `web.log.2`, `web.log.1`: each ends where the next one begins. */
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

function sameMap(one: LogLayout, other: LogLayout): boolean {
  return one.base === other.base && one.start === other.start && one.moving === other.moving;
}

/** Moving takes some milliseconds, and a read has nothing else to do meanwhile. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
