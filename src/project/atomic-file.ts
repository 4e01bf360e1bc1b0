import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';

/** The largest record that is read, in bytes. A larger one is not ours. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Windows has neither flag; there they are undefined and mean nothing. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_BLOCK = constants.O_NONBLOCK ?? 0;

export type FileRead =
  | { readonly kind: 'content'; readonly bytes: Buffer; readonly mtimeMs: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Replaces a file so that every reader, and every reader after a crash, sees the old or the new
 * content whole: temporary file in the same folder, fsync, rename(2). A symbolic link at `path` is
 * replaced, not followed.
 *
 * @param mtimeMs modification time to give it, in ms since the epoch, instead of now
 * @throws DevctlError 'records-unwritable'; nothing is left behind then
 */
export function writeFileAtomically(path: string, content: string, mtimeMs?: number): void {
  const temporary = temporaryPath(path);
  let fd: number | undefined;
  try {
    // 'wx' is O_EXCL, which does not follow a symbolic link either: open(2).
    fd = openSync(temporary, 'wx', 0o600);
    writeFileSync(fd, content);
    if (mtimeMs !== undefined) futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
    flush(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    rmSync(temporary, { force: true });
    throw unwritable(path, error);
  }
}

/** Open flags for adding to a file, which is created when it is missing. */
export const appendFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | NO_FOLLOW | NO_BLOCK;

/** A name in the same folder that no one else has. Readers skip it: it begins with a dot. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

/**
 * Removes the temporary files of writers that were killed between open and rename. A minute is far
 * longer than any write takes, so none is taken from a writer that is at work.
 */
export function removeLeftovers(directory: string): void {
  const before = Date.now() - 60_000;
  for (const name of readdirSync(directory)) {
    if (!/^\..*\.[0-9a-f]{16}\.tmp$/.test(name)) continue;
    const path = join(directory, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() && found.mtimeMs < before) removeIfThere(path);
  }
}

/**
 * Reads a file of ours: never through a symbolic link, never from a pipe or a device, never what
 * another user could have written. Never throws.
 *
 * @param limit largest size in bytes
 * @param part what to do beyond the limit: refuse the file, or read only its last `limit` bytes
 */
export function readOwnFile(
  path: string,
  limit = MAX_FILE_BYTES,
  part: 'whole' | 'tail' = 'whole',
): FileRead {
  const file = openOwnFile(path);
  if (file.kind !== 'open') return file;
  try {
    const { fd, mtimeMs, size } = file;
    if (size > limit && part === 'whole') {
      return { kind: 'refused', reason: `larger than ${limit} bytes` };
    }
    const start = Math.max(0, size - limit);
    return { kind: 'content', bytes: readPart(fd, start, start + limit), mtimeMs };
  } catch (error) {
    return unreadable(error);
  } finally {
    closeSync(file.fd);
  }
}

export type FileOpened =
  | { readonly kind: 'open'; readonly fd: number; readonly size: number; readonly mtimeMs: number }
  | Exclude<FileRead, { kind: 'content' }>;

/** Opens for reading what `readOwnFile` would read. The caller closes `fd`. Never throws. */
export function openOwnFile(path: string): FileOpened {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK the open of a FIFO would wait for a writer, for ever.
    fd = openSync(path, constants.O_RDONLY | NO_FOLLOW | NO_BLOCK);
    const found = fstatSync(fd);
    const reason = found.isFile() ? otherOwner(found.uid) : 'not a regular file';
    if (reason === null) return { kind: 'open', fd, size: found.size, mtimeMs: found.mtimeMs };
    closeSync(fd);
    return { kind: 'refused', reason };
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    return unreadable(error);
  }
}

/** The bytes from `start` up to `end` or the end of the file. */
export function readPart(fd: number, start: number, end: number): Buffer {
  const chunks: Buffer[] = [];
  let at = start;
  // The size that fstat(2) told may be out of date by now, so read until there is no more.
  while (at < end) {
    const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, end - at));
    const count = readSync(fd, chunk, 0, chunk.length, at);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    at += count;
  }
  return Buffer.concat(chunks);
}

/** Why a file of this owner is not obeyed; null when it is the user who asks (or on Windows). */
export function otherOwner(uid: number): string | null {
  const self = process.geteuid?.() ?? uid;
  return uid === self ? null : `owned by user ${uid}, devctl runs as user ${self}`;
}

/**
 * @returns was there anything to remove?
 * @throws DevctlError 'records-unwritable'
 */
export function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw unwritable(path, error);
  }
}

/** Says which path could not be written, why, and what helps. */
export function unwritable(path: string, error: unknown): DevctlError {
  if (error instanceof DevctlError) return error;
  const errno = errnoOf(error) ?? String(error);
  return new DevctlError('records-unwritable', `cannot write ${path}: ${errno}`, {
    hint: HINTS[errno] ?? `check ${dirname(path)}, or choose another folder with "pidsDir"`,
    cause: error,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'make the folder writable for you (chmod u+rwx), or choose another with "pidsDir"',
  EPERM: 'make the folder writable for you (chmod u+rwx), or choose another with "pidsDir"',
  EROFS: 'the file system is mounted read-only: choose another folder with "pidsDir"',
  ENOSPC: 'the disk is full: free some space and try again',
  EDQUOT: 'your disk quota is used up: free some space and try again',
  ELOOP: 'a symbolic link is in the way: move it away and try again',
  EISDIR: 'a folder is in the way: move it away and try again',
  ENOTDIR: 'a file is where a folder should be: move it away and try again',
};

function unreadable(error: unknown): Exclude<FileRead, { kind: 'content' }> {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'missing' };
  if (errno === 'ELOOP') return { kind: 'refused', reason: 'a symbolic link' };
  return { kind: 'refused', reason: `not readable: ${errno ?? String(error)}` };
}

/** Some network and FUSE file systems have no fsync; the rename is atomic for the living anyway. */
function flush(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error;
  }
}
