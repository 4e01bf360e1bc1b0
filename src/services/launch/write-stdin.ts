import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';

/** What became of a line that was to go to a service's stdin. */
export type FifoWrite =
  | { readonly kind: 'written'; readonly bytes: number }
  /** `bytes` of it are in the FIFO already, and cannot be taken back. */
  | { readonly kind: 'refused'; readonly why: string; readonly bytes: number };

/** A reader that takes nothing for so long does not read. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;

/**
 * Writes to a FIFO that somebody else holds open. Never makes one, never follows a link, and never waits
 * for a reader: without one the kernel says ENXIO (fifo(7)).
 *
 * @param chunks in order; each is written whole before the next is asked for
 */
export async function writeToFifo(
  path: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  patienceMs = PATIENCE_MS,
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
    return { kind: 'written', bytes };
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
    return { kind: 'refused', why: 'it has closed its stdin', bytes };
  } finally {
    closeSync(fd);
  }
}

/** Text of up to PIPE_BUF bytes goes in whole or not at all, more in parts (pipe(7)). */
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
