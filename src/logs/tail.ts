import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';

const CHUNK_BYTES = 64 * 1024;
/** Most bytes that are kept, from the end, so that an endless line cannot fill the memory. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the last lines of a log, as they were written (colours included), without their line ends.
 *
 * It reads from the end of the file, so it costs the same however long the log is.
 *
 * @param count how many lines at most
 * @param from  offset in bytes where the run began: nothing before it is returned. When the file is
 *              shorter than that, it was truncated meanwhile and all of it is new.
 * @returns an empty list when there is no such file
 * @throws  what open(2) and read(2) fail with otherwise; ELOOP for a symbolic link
 */
export async function tailLog(path: string, count: number, from = 0): Promise<readonly string[]> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = await file.stat();
    const text = (await readEnd(file, count, size < from ? 0 : from, size)).toString('utf8');
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    return count > 0 ? lines.slice(-count) : [];
  } finally {
    await file.close();
  }
}

/** Reads enough of the end for `count` lines, beginning with a whole character. */
async function readEnd(
  file: FileHandle,
  count: number,
  from: number,
  size: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const floor = Math.max(from, size - MAX_BYTES);
  let newlines = 0;
  let start = size;
  // One newline more than lines are wanted, because the newline at the very end of the file begins no line.
  while (start > floor && newlines <= count) {
    const length = Math.min(CHUNK_BYTES, start - floor);
    const chunk = Buffer.alloc(length);
    const { bytesRead } = await file.read(chunk, 0, length, start - length);
    start -= length;
    chunks.unshift(chunk.subarray(0, bytesRead));
    for (const byte of chunk) if (byte === 0x0a) newlines += 1;
  }
  const end = Buffer.concat(chunks);
  return start > from ? end.subarray(firstWholeCharacter(end)) : end;
}

/** Finds the first byte of a whole character: UTF-8 marks the bytes after it with the bits 10 (RFC 3629). */
function firstWholeCharacter(bytes: Buffer): number {
  let index = 0;
  while (index < 3 && ((bytes[index] ?? 0) & 0xc0) === 0x80) index += 1;
  return index;
}
