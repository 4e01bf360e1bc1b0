import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** The largest record that is read, in bytes. A larger one is not ours. */
export const MAX_FILE_BYTES = 1024 * 1024;

export type FileRead =
  | { readonly kind: 'content'; readonly bytes: Buffer; readonly mtimeMs: number }
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** The answer of the system, where it would not let us read: EACCES, EMFILE … */
      readonly errno?: string;
    };

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

/** Why a file would not be read; null when it would, or is not there. Never throws. */
export function refusalOf(path: string): string | null {
  const file = openOwnFile(path);
  if (file.kind === 'open') closeSync(file.fd);
  return file.kind === 'refused' ? file.reason : null;
}

/** The bytes from `start` up to `end` or the end of the file. */
export function readPart(fd: number, start: number, end: number): Buffer {
  const chunks: Buffer[] = [];
  let at = start;
  // The size that fstat(2) told may be out of date by now, so read until there is no more.
  while (at < end) {
    const count = readSync(fd, scratch, 0, Math.min(scratch.length, end - at), at);
    if (count === 0) break;
    chunks.push(Buffer.from(scratch.subarray(0, count)));
    at += count;
  }
  return Buffer.concat(chunks);
}

/** One for all reads, which are synchronous: fresh memory for each small file costs page faults. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** Why a file of this owner is not obeyed; null when it is the user who asks. */
export function otherOwner(uid: number): string | null {
  const self = process.geteuid?.() ?? uid;
  return uid === self ? null : `owned by user ${uid}, devctl runs as user ${self}`;
}

/**
 * Why nothing must be added to this open file; null when it is ours alone. A second name (a hard link,
 * which in a folder that others may write to anybody can make) would have us write to another file.
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
