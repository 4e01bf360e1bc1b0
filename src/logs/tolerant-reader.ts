import { inWords } from '../errors.ts';
import type { LogReader } from './reader.ts';

/**
 * Builds a reader that reports a failure where `reader` throws (a link in the place of a log, no permission,
 * no descriptor left), because one log that cannot be read must not cost the others.
 *
 * @param onFailure called once for any number of failures in a row
 */
export function tolerantReader(reader: LogReader, onFailure: (why: string) => void): LogReader {
  let isReported = false;
  const failed = (error: unknown): void => {
    if (!isReported) onFailure(`the log of ${reader.service} cannot be read: ${inWords(error)}`);
    isReported = true;
  };
  return {
    service: reader.service,
    *history(range, toEnd) {
      try {
        yield* reader.history(range, toEnd);
      } catch (error) {
        failed(error);
      }
    },
    skip() {
      try {
        reader.skip();
      } catch (error) {
        failed(error);
      }
    },
    next(now) {
      try {
        const read = reader.next(now);
        isReported = false;
        return read;
      } catch (error) {
        failed(error);
        return { lines: [], more: false };
      }
    },
    flush: (nowMs, ms) => reader.flush(nowMs, ms),
    hasPartialLine: () => reader.hasPartialLine(),
  };
}
