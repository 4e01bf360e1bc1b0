import { write } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';

/** Writes much to one descriptor, as fast as its reader takes it. */
export interface SlowWriter {
  /** Resolves when all of it is written, or nobody reads any more. */
  write(text: string): Promise<void>;
  /** Has the other end closed, or has the terminal gone? */
  isClosed(): boolean;
  /** To be called by who has found out that nobody reads, without a write. */
  close(): void;
}

/** A pipe may be set not to wait for its reader, by whoever holds it as well. */
const FULL_MS = 10;

/**
 * Unlike process.stdout, whose writes to pipes and terminals wait for the reader, and all signals with
 * them, this one leaves the process free: a Ctrl-C is heard while `less` shows the first page.
 *
 * @param closed called once, when nobody reads any more; without a write only who looks can tell
 */
export function openSlowWriter(fd: number, closed: () => void): SlowWriter {
  let isClosed = false;
  let queue: Promise<void> = Promise.resolve();
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    closed();
  };

  const writeAll = async (bytes: Buffer): Promise<void> => {
    for (let at = 0; at < bytes.length && !isClosed; ) {
      try {
        at += await writeSome(fd, bytes.subarray(at));
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === 'EAGAIN') await pass(FULL_MS);
        else if (errno === 'EPIPE' || errno === 'EIO') close();
        else throw error;
      }
    }
  };

  return {
    write(text) {
      queue = queue.then(() => writeAll(Buffer.from(text)));
      return queue;
    },
    isClosed: () => isClosed,
    close,
  };
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
