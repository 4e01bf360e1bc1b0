import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/**
 * The text of a file, or the reason why there is none. The reason follows the name of the file: "is a
 * folder".
 */
export type SourceText =
  | { readonly kind: 'text'; readonly text: string }
  /** `before`: the text before the first byte that is not UTF-8. */
  | { readonly kind: 'unreadable'; readonly why: string; readonly before: string };

const MAX_BYTES = 4 * 1024 * 1024;

/** Reads a UTF-8 text file, with or without a byte order mark. It never waits and never throws. */
export function readSource(file: string): SourceText {
  let fd: number | undefined;
  try {
    // O_NONBLOCK, because opening a FIFO without a writer would wait for ever (fifo(7)).
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return unreadable('is a folder, not a file');
    if (!stat.isFile()) return unreadable('is not a regular file');
    if (stat.size > MAX_BYTES) return unreadable(`is larger than ${MAX_BYTES / 1024 ** 2} MB`);
    return decode(readFileSync(fd));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink())
      return unreadable('is a symbolic link to a file that does not exist');
    return unreadable(READ_FAILURES[errnoOf(error) ?? ''] ?? `cannot be read: ${String(error)}`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is a file',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  ELOOP: 'cannot be read: its symbolic links go in a circle',
  EISDIR: 'is a folder, not a file',
};

function decode(bytes: Buffer): SourceText {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return unreadable('is UTF-16 text: save it as UTF-8');
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    const [before = ''] = new TextDecoder().decode(bytes).split('\uFFFD', 1);
    return unreadable('is not UTF-8 text: save it as UTF-8', before);
  }
}

function unreadable(why: string, before = ''): SourceText {
  return { kind: 'unreadable', why, before };
}
