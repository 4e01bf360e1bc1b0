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

type Way = Extract<CutWay, { block: number }>;

const CHUNK_BYTES = 1024 * 1024;

/**
 * Moves the beginning of a log to `NAME.log.1`, if the log has become too large. The service goes on
 * writing to the same file meanwhile, at full speed: only bytes that were written long ago are touched.
 *
 * In this order, so that whoever is killed in between leaves no byte missing and none twice:
 *  1. the beginning is copied to `NAME.log.moving`, and is on disk;
 *  2. the map says that it is being moved;
 *  3. a hole takes its place in the log;
 *  4. `.1` becomes `.2` and so on, `.moving` becomes `.1`;
 *  5. the hole is taken out of the log, where the file system can;
 *  6. the map says where everything is now.
 *
 * @returns was anything moved?
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
    const map = await finishMove(folder, service, path, log, way);
    const offset = map.start - map.base;
    const length = await lengthToMove(log, offset, maxSize, way.block);
    if (length === 0) return false;
    const moving = { ...map, moving: map.start + length };
    if (keep > 0) await copyOut(log, offset, length, movingPath(path));
    writeLogLayout(folder, service, moving);
    const refusal = await cutFile(log.fd, 'punch', offset, length);
    if (refusal !== null) {
      writeLogLayout(folder, service, map);
      throw new Error(`freeing the beginning of ${path}: ${refusal}`);
    }
    await shift(path, keep);
    writeLogLayout(folder, service, await takeOut(log, moving, way));
    return true;
  } finally {
    await log.close();
  }
}

/**
 * Brings to its end what a supervisor was at when it was killed.
 *
 * @returns where everything is now
 */
async function finishMove(
  folder: ProjectFolder,
  service: string,
  path: string,
  log: FileHandle,
  way: Way,
): Promise<LogLayout> {
  const found = await log.stat({ bigint: true });
  const map = layoutOf(readLogLayout(folder, service), fileKey(found), Number(found.size));
  if (map.moving === null) {
    // It was killed while it copied, and nothing was taken away.
    rmSync(movingPath(path), { force: true });
    return map;
  }
  if (statSync(movingPath(path), { throwIfNoEntry: false })) {
    await cutFile(log.fd, 'punch', map.start - map.base, map.moving - map.start);
    await shift(path, Number.POSITIVE_INFINITY);
  }
  const settled = await takeOut(log, map, way);
  writeLogLayout(folder, service, settled);
  return settled;
}

/** Is a move under way that nobody carries on? */
export function isRotationUnfinished(folder: ProjectFolder, service: string): boolean {
  return (readLogLayout(folder, service)?.moving ?? null) !== null;
}

/** As `finishMove`, for a log of which nothing else is to be moved. */
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

/** Takes the hole out of the log, unless that was done, or cannot be done. */
async function takeOut(log: FileHandle, map: LogLayout, way: Way): Promise<LogLayout> {
  const { base, start, moving } = map;
  if (moving === null) return map;
  const moved = { ...map, start: moving, moving: null };
  // Over an older hole, nothing in the file would say afterwards whether it was done.
  if (base !== start) return moved;
  const collapsed = { ...moved, base: moving };
  if (!(await isEmpty(log, 0, way.block))) return collapsed;
  const isPossible = way.how === 'collapse';
  const refusal = isPossible ? await cutFile(log.fd, 'collapse', 0, moving - base) : 'not here';
  return refusal === null ? collapsed : moved;
}

/** How much to move, in whole blocks; 0 where the log is not large enough. */
async function lengthToMove(
  log: FileHandle,
  offset: number,
  maxSize: number,
  block: number,
): Promise<number> {
  const { size } = await log.stat();
  let length = Math.max(block, Math.floor(maxSize / block) * block);
  // The first block that stays must show something: an empty one is the mark of a hole.
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

async function copyOut(
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
    // Before it is freed where it was: a power failure must find it in one of the two.
    await copy.datasync();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
}

/** The newest is 1. What is older than the last one to be kept goes. */
async function shift(path: string, keep: number): Promise<void> {
  const numbers = await rotatedNumbers(path);
  for (const number of numbers.toSorted((a, b) => b - a)) {
    if (number >= keep) rmSync(`${path}.${number}`, { force: true });
    else renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
  try {
    renameSync(movingPath(path), `${path}.1`);
  } catch (error) {
    // With nothing to be kept there is no copy.
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

/** Null where there is none. Never through a link, and never what is another user's. */
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
