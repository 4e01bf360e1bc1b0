import { write } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { isReaderGone, tellLostOutput } from './lost-output.ts';

/** Writes large output to one descriptor, as fast as its reader takes it. */
export interface SlowWriter {
  /** Resolves when the text is written, or when nothing can be written any more. */
  write(text: string): Promise<void>;
  /** True when the other end has closed, the terminal has gone, or the disk is full. */
  isClosed(): boolean;
  /** Closes the writer without a write, because the caller has found out that the reader has gone. */
  close(): void;
}

/**
 * Pause before the next write to a full pipe. Another process that has the pipe open may have made it
 * non-blocking.
 */
const RETRY_MS = 10;

/**
 * Opens a writer that leaves the process free to handle signals: it hears a Ctrl-C while `less` shows the
 * first page. Writes of process.stdout to pipes and terminals block until the reader has taken them, and
 * hold up all signals.
 *
 * @param closed called once: with null when the reader has gone, or with the reason why nothing can be
 *   written, which has been reported then
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
