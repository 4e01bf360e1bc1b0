import { inWords } from '../errors.ts';
import type { LogReader } from './reader.ts';

/**
 * A reader for people: what it cannot read (a link in the place of a log, no right to, no descriptor left) it tells, once
 * in a row, where another one throws. One log that cannot be read must not cost the others.
 */
export function tolerantReader(reader: LogReader, tell: (why: string) => void): LogReader {
  let isTold = false;
  const failed = (error: unknown): void => {
    if (!isTold) tell(`the log of ${reader.service} cannot be read: ${inWords(error)}`);
    isTold = true;
  };
  return {
    ...reader,
    *history(wanted, toEnd) {
      try {
        yield* reader.history(wanted, toEnd);
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
        isTold = false;
        return read;
      } catch (error) {
        failed(error);
        return { lines: [], more: false };
      }
    },
  };
}
