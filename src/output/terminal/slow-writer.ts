import { write } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { isReaderGone, tellLostOutput } from './lost-output.ts';

/** Writes much to one descriptor, as fast as its reader takes it. */
export interface SlowWriter {
  /** Resolves when all of it is written, or nothing can be written any more. */
  write(text: string): Promise<void>;
  /** Has the other end closed, has the terminal gone, or is the disk full? */
  isClosed(): boolean;
  /** To be called by who has found out that nobody reads, without a write. */
  close(): void;
}

/** A pipe may be set not to wait for its reader, by whoever holds it as well. */
const RETRY_MS = 10;

/**
 * Unlike process.stdout, whose writes to pipes and terminals wait for the reader, and all signals with
 * them, this one leaves the process free: a Ctrl-C is heard while `less` shows the first page.
 *
 * @param closed called once, when nobody reads any more (without a write only who looks can tell), or with the reason for
 *   which nothing can be written, which was told then
 */
export function openSlowWriter(fd: number, closed: (failure: unknown) => void): SlowWriter {
  let isClosed = false;
  let queue: Promise<void> = Promise.resolve();
  const close = (failure: unknown = null): void => {
    if (isClosed) return;
    isClosed = true;
    closed(failure);
  };

  const writeAll = async (bytes: Buffer): Promise<void> => {
    for (let at = 0; at < bytes.length && !isClosed; ) {
      try {
        at += await writeSome(fd, bytes.subarray(at));
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') {
          await delay(RETRY_MS);
          continue;
        }
        tellLostOutput(error);
        close(isReaderGone(error) ? null : error);
      }
    }
  };

  return {
    write(text) {
      queue = queue.then(() => writeAll(Buffer.from(text)));
      return queue;
    },
    isClosed: () => isClosed,
    close: () => close(),
  };
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
