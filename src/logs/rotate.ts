import { constants, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { type CutWay, cutFile } from '../processes/native/cut-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { whyNotAppend } from '../project/safe-file.ts';
import type { LogRotation } from '../project/service-record.ts';
import { type LogLayout, layoutOf } from './time-index.ts';
import { fileKey, movingPath, readLogLayout, writeLogLayout } from './time-index-file.ts';

/** A way to free the beginning of a file that the file system supports. */
type Way = Extract<CutWay, { block: number }>;

const CHUNK_BYTES = 1024 * 1024;

/**
 * Moves the beginning of a log to `NAME.log.1`, if the log has become too large. The service goes on
 * writing to the same file meanwhile, at full speed: only bytes that were written long ago are touched.
 *
 * The steps have this order, so that a rotation that is killed in between leaves no byte missing and none
 * twice:
 *  1. the beginning is copied to `NAME.log.moving`, and is on disk;
 *  2. the layout says that it is being moved;
 *  3. a hole takes its place in the log;
 *  4. `.1` becomes `.2` and so on, `.moving` becomes `.1`;
 *  5. the hole is taken out of the log, where the file system can do that;
 *  6. the layout says where everything is now.
 *
 * @returns true when bytes were moved
 * @throws what the system calls fail with (a full disk): then nothing is lost, and nothing was moved
 */
export async function rotateLog(
  folder: ProjectFolder,
  service: string,
  path: string,
  { maxSize, keep }: LogRotation,
  way: Way,
): Promise<boolean> {
  const log = await openLog(path);
  if (!log) return false;
  try {
    const layout = await finishMove(folder, service, path, log, way);
    const offset = layout.start - layout.base;
    const length = await lengthToMove(log, offset, maxSize, way.block);
    if (length === 0) return false;
    const moving = { ...layout, moving: layout.start + length };
    if (keep > 0) await copyBeginning(log, offset, length, movingPath(path));
    writeLogLayout(folder, service, moving);
    const refusal = await cutFile(log.fd, 'punch', offset, length);
    if (refusal !== null) {
      writeLogLayout(folder, service, layout);
      throw new Error(`freeing the beginning of ${path}: ${refusal}`);
    }
    await renumberRotatedFiles(path, keep);
    writeLogLayout(folder, service, await takeOutHole(log, moving, way));
    return true;
  } finally {
    await log.close();
  }
}

/**
 * Finishes a rotation in the middle of which a supervisor was killed.
 *
 * @returns the layout after it
 */
async function finishMove(
  folder: ProjectFolder,
  service: string,
  path: string,
  log: FileHandle,
  way: Way,
): Promise<LogLayout> {
  const found = await log.stat({ bigint: true });
  const layout = layoutOf(readLogLayout(folder, service), fileKey(found), Number(found.size));
  if (layout.moving === null) {
    // A supervisor that was killed while it copied has taken nothing away yet.
    rmSync(movingPath(path), { force: true });
    return layout;
  }
  if (statSync(movingPath(path), { throwIfNoEntry: false })) {
    await cutFile(log.fd, 'punch', layout.start - layout.base, layout.moving - layout.start);
    await renumberRotatedFiles(path, Number.POSITIVE_INFINITY);
  }
  const settled = await takeOutHole(log, layout, way);
  writeLogLayout(folder, service, settled);
  return settled;
}

/** Tells whether a rotation has begun that nobody carries on. */
export function isRotationUnfinished(folder: ProjectFolder, service: string): boolean {
  return (readLogLayout(folder, service)?.moving ?? null) !== null;
}

/**
 * Finishes the rotation of a log in the middle of which a supervisor was killed, and begins no other.
 *
 * @throws what the system calls fail with
 */
export async function finishRotation(
  folder: ProjectFolder,
  service: string,
  path: string,
  way: Way,
): Promise<void> {
  const log = await openLog(path);
  if (!log) return;
  try {
    await finishMove(folder, service, path, log, way);
  } finally {
    await log.close();
  }
}

/**
 * Takes the hole out of the log, unless that was done already, or cannot be done.
 *
 * @returns the layout after it
 */
async function takeOutHole(log: FileHandle, layout: LogLayout, way: Way): Promise<LogLayout> {
  const { base, start, moving } = layout;
  if (moving === null) return layout;
  const moved = { ...layout, start: moving, moving: null };
  // Behind an older hole, nothing in the file would tell afterwards whether the new hole was taken out.
  if (base !== start) return moved;
  const collapsed = { ...moved, base: moving };
  if (!(await isEmpty(log, 0, way.block))) return collapsed;
  const isPossible = way.how === 'collapse';
  const refusal = isPossible ? await cutFile(log.fd, 'collapse', 0, moving - base) : 'not here';
  return refusal === null ? collapsed : moved;
}

/** Returns how many bytes to move, in whole blocks; 0 when the log is not large enough. */
async function lengthToMove(
  log: FileHandle,
  offset: number,
  maxSize: number,
  block: number,
): Promise<number> {
  const { size } = await log.stat();
  let length = Math.max(block, Math.floor(maxSize / block) * block);
  // The first block that stays must not be empty, because an empty block is how a hole is recognised.
  while (offset + length + block <= size) {
    if (!(await isEmpty(log, offset + length, block))) return length;
    length += block;
  }
  return 0;
}

async function isEmpty(log: FileHandle, offset: number, block: number): Promise<boolean> {
  const buffer = Buffer.alloc(block, 1);
  const { bytesRead } = await log.read(buffer, 0, block, offset);
  return buffer.subarray(0, bytesRead).every((byte) => byte === 0);
}

async function copyBeginning(
  log: FileHandle,
  offset: number,
  length: number,
  path: string,
): Promise<void> {
  rmSync(path, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const copy = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length));
    for (let done = 0; done < length; ) {
      const want = Math.min(buffer.length, length - done);
      const { bytesRead } = await log.read(buffer, 0, want, offset + done);
      if (bytesRead === 0) throw new Error('the log was cut by somebody else');
      await copy.writeFile(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    // On disk before it is freed in the log: after a power failure it must be in one of the two files.
    await copy.datasync();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
}

/** Makes room for the newest rotated file, which has the number 1, and removes those beyond `keep`. */
async function renumberRotatedFiles(path: string, keep: number): Promise<void> {
  const numbers = await rotatedNumbers(path);
  for (const number of numbers.toSorted((a, b) => b - a)) {
    if (number >= keep) rmSync(`${path}.${number}`, { force: true });
    else renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
  try {
    renameSync(movingPath(path), `${path}.1`);
  } catch (error) {
    // When no rotated file is kept, there is no copy.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

async function rotatedNumbers(path: string): Promise<readonly number[]> {
  const start = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  return names.flatMap((name) => {
    const rest = name.startsWith(start) ? name.slice(start.length) : '';
    return /^[1-9]\d{0,5}$/.test(rest) ? [Number(rest)] : [];
  });
}

/**
 * Opens a log for rotation, never through a link, and never another user's file.
 *
 * @returns null when there is no log
 */
async function openLog(path: string): Promise<FileHandle | null> {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  let log: FileHandle;
  try {
    log = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  const why = whyNotAppend(await log.stat());
  if (why === null) return log;
  await log.close();
  throw new Error(`${path}: ${why}`);
}
