import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';

/** The result of a write to a service's stdin. */
export type FifoWrite =
  | {
      readonly kind: 'written';
      readonly bytes: number;
      /** True: nothing of what was in the FIFO then was read within a second. Null: not asked, or nobody can tell. */
      readonly isUnread: boolean | null;
    }
  /** `bytes`: part of it that is in the FIFO already, and cannot be taken back. */
  | { readonly kind: 'refused'; readonly why: string; readonly bytes: number };

/** Time without progress after which devctl gives up, because the service does not read its stdin. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;
/** Time within which a program that waits for its stdin has read some of it. */
const READ_MS = 1_000;

export interface FifoOptions {
  /** Time without progress after which it gives up. */
  readonly patienceMs?: number;
  /** Counts the bytes that nobody has read from a FIFO (FIONREAD). Missing or null: it is not asked. */
  readonly unread?: ((fd: number) => number | null) | null;
}

/**
 * Writes to a FIFO that another process has open for reading. It makes no FIFO, follows no link, and does not
 * wait for a reader: without a reader the kernel says ENXIO (fifo(7)).
 *
 * @param chunks written in order, each as a whole before the next is asked for
 * @throws what write(2) fails with, except EPIPE
 */
export async function writeToFifo(
  path: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  { patienceMs = PATIENCE_MS, unread = null }: FifoOptions = {},
): Promise<FifoWrite> {
  let bytes = 0;
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    return { kind: 'refused', why: whyNotOpen(errnoOf(error), path, error), bytes };
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO()) return { kind: 'refused', why: `${path} is no FIFO`, bytes };
    if (stat.uid !== process.geteuid?.()) {
      return { kind: 'refused', why: `${path} belongs to user ${stat.uid}`, bytes };
    }
    for await (const chunk of chunks) {
      for (let at = 0, idleMs = 0; at < chunk.length; ) {
        const written = writeSome(fd, chunk, at);
        at += written;
        bytes += written;
        idleMs = written > 0 ? 0 : idleMs + PAUSE_MS;
        if (idleMs > patienceMs) {
          return { kind: 'refused', why: 'it does not read its stdin, which is full', bytes };
        }
        if (written === 0) await pause(PAUSE_MS);
      }
    }
    return { kind: 'written', bytes, isUnread: unread && (await isUnread(fd, unread)) };
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
    return { kind: 'refused', why: 'it has closed its stdin', bytes };
  } finally {
    closeSync(fd);
  }
}

/** Waits until something is read from a FIFO, a second at most. */
async function isUnread(
  fd: number,
  unread: NonNullable<FifoOptions['unread']>,
): Promise<boolean | null> {
  const before = unread(fd);
  for (let waitedMs = 0; before !== null && waitedMs < READ_MS; waitedMs += PAUSE_MS) {
    const now = unread(fd);
    if (now === null || now < before || now === 0) return false;
    await pause(PAUSE_MS);
  }
  return before === null ? null : true;
}

/**
 * Writes as much of a chunk as the FIFO takes. Up to PIPE_BUF bytes go in as a whole or not at all, more bytes
 * go in by parts (pipe(7)).
 *
 * @returns bytes written; 0 when the FIFO is full
 */
function writeSome(fd: number, chunk: Buffer, at: number): number {
  try {
    return writeSync(fd, chunk, at);
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}

function whyNotOpen(errno: string | undefined, path: string, error: unknown): string {
  if (errno === 'ENXIO') return 'nobody has its stdin open for reading: it has closed it';
  if (errno === 'ENOENT') return `its FIFO ${path} is gone`;
  if (errno === 'ELOOP') return `${path} is a symbolic link`;
  return `${path} cannot be opened: ${errno ?? error}`;
}
