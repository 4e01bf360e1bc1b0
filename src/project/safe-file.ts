import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
} from 'node:fs';
import { errnoOf } from '../errors.ts';

/** Size in bytes of the largest record that is read. A larger file is not ours. */
export const MAX_FILE_BYTES = 1024 * 1024;

export type FileRead =
  | { readonly kind: 'content'; readonly bytes: Buffer; readonly mtimeMs: number }
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** The errno when the system refused the read: EACCES, EMFILE … */
      readonly errno?: string;
    };

/**
 * Reads a file of ours: never through a symbolic link, never from a pipe or a device, never a file of
 * another user. Never throws.
 *
 * @param limit largest size in bytes
 * @param part what to do with a larger file: refuse it, or read only its last `limit` bytes
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

/** Opens a file that `readOwnFile` would read. The caller closes `fd`. Never throws. */
export function openOwnFile(path: string): FileOpened {
  let fd: number | undefined;
  try {
    // Node's error of a failed open costs more than this look, and many of our files are missing most of the time.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { kind: 'missing' };
    // Without O_NONBLOCK, opening a FIFO would wait for a writer, for ever (fifo(7)).
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
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

/** Says why a file would not be read; null when it would be, or is missing. Never throws. */
export function whyRefused(path: string): string | null {
  const file = openOwnFile(path);
  if (file.kind === 'open') closeSync(file.fd);
  return file.kind === 'refused' ? file.reason : null;
}

/** Reads the bytes from `start` up to `end` or the end of the file. */
export function readPart(fd: number, start: number, end: number): Buffer {
  const chunks: Buffer[] = [];
  let at = start;
  // The size that fstat(2) returned may be out of date by now, so read until there is no more.
  while (at < end) {
    const count = readSync(fd, scratch, 0, Math.min(scratch.length, end - at), at);
    if (count === 0) break;
    chunks.push(Buffer.from(scratch.subarray(0, count)));
    at += count;
  }
  return Buffer.concat(chunks);
}

/**
 * Buffer that all reads share, because they are synchronous: fresh memory for each small file costs
 * page faults.
 */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** Says why a file of this owner is not obeyed; null when the owner is our own user. */
export function otherOwner(uid: number): string | null {
  const self = process.geteuid?.() ?? uid;
  return uid === self ? null : `owned by user ${uid}, devctl runs as user ${self}`;
}

/**
 * Says why devctl must not append to this open file; null when it may. A second name (a hard link,
 * which anybody can make in a folder that others may write to) would have devctl write to another file.
 */
export function whyNotAppend(stat: Pick<Stats, 'isFile' | 'uid' | 'nlink'>): string | null {
  if (!stat.isFile()) return 'not a regular file';
  return otherOwner(stat.uid) ?? (stat.nlink > 1 ? 'it has a second name (a hard link)' : null);
}

function unreadable(error: unknown): Exclude<FileRead, { kind: 'content' }> {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'missing' };
  if (errno === 'ELOOP') return { kind: 'refused', reason: 'a symbolic link' };
  return { kind: 'refused', reason: `not readable: ${errno}`, errno };
}
