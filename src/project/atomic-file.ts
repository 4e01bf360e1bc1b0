import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';

export interface WriteOptions {
  /** Modification time to give the file, in ms since the epoch. Default: now. */
  readonly mtimeMs?: number | undefined;
  /**
   * Default: true. False for content that is worth nothing after a power failure: it saves an fsync(2),
   * which takes milliseconds.
   */
  readonly flushed?: boolean;
}

/**
 * Replaces a file so that every reader, and every reader after a crash, sees the old or the new content
 * whole: temporary file in the same folder, fsync(2), rename(2). A symbolic link at `path` is replaced,
 * not followed.
 *
 * @throws DevctlError 'records-unwritable'; the temporary file is removed first
 */
export function writeFileAtomically(
  path: string,
  content: string,
  { mtimeMs, flushed = true }: WriteOptions = {},
): void {
  const temporary = temporaryPath(path);
  let fd: number | undefined;
  try {
    // 'wx' is O_EXCL, which does not follow a symbolic link either: open(2).
    fd = openSync(temporary, 'wx', 0o600);
    writeFileSync(fd, content);
    if (mtimeMs !== undefined) futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
    if (flushed) flush(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    discard(temporary);
    throw unwritable(path, error);
  }
}

/**
 * Removes a temporary file after a failed write. A second error is ignored, because the first one says
 * why the write failed.
 */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The path is too long, or the disk has gone: there is nothing to remove.
  }
}

/** Open flags to append to a file, which is created when it is missing. */
export const appendFlags =
  constants.O_WRONLY |
  constants.O_CREAT |
  constants.O_APPEND |
  constants.O_NOFOLLOW |
  constants.O_NONBLOCK;

/**
 * Returns a path in the same folder that no other writer uses. Its name begins with a dot, so readers
 * skip it.
 */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

/**
 * Removes the temporary files of writers that were killed between open and rename. Only files older
 * than a minute go: no write takes that long, so no file is taken from a writer at work.
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
 * Removes a file. A missing file is no error.
 *
 * @returns true when there was a file
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

/**
 * Turns an error of the file system into one that names the path, the reason and a remedy.
 *
 * @throws the error itself when it has no errno, because then it is a bug of devctl
 */
export function unwritable(path: string, error: unknown): DevctlError {
  if (error instanceof DevctlError) return error;
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  return new DevctlError('records-unwritable', `cannot write ${path}: ${errno}`, {
    hint: HINTS[errno] ?? `check ${dirname(path)}, or choose another folder with "pidsDir"`,
    cause: error,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'make the folder writable for you (chmod u+rwx), or choose another with "pidsDir"',
  EPERM: 'make the folder writable for you (chmod u+rwx), or choose another with "pidsDir"',
  EROFS:
    'the file system is mounted read-only: choose another folder, for example "pidsDir": "/var/tmp/my-pids"',
  ENOSPC: 'the disk is full: free some space and try again',
  EDQUOT: 'your disk quota is used up: free some space and try again',
  ELOOP: 'a symbolic link is in the way: move it away and try again',
  EISDIR: 'a folder is in the way: move it away and try again',
  ENOTDIR: 'a file is where a folder should be: move it away and try again',
};

/**
 * Flushes a file to its disk. Some network and FUSE file systems have no fsync(2); there the rename is
 * still atomic for every reader that runs.
 */
export function flush(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error;
  }
}
