import { StringDecoder } from 'node:string_decoder';
import { setImmediate } from 'node:timers/promises';
import { inWords } from '../../errors.ts';
import { lineMatches } from '../../logs/line-matches.ts';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import { compilePattern } from '../../patterns/pattern.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';

/** Most bytes that are read and tested at once, so that the supervisor soon gets to other things. */
const CHUNK_BYTES = 16 * 1024;
/** Longest part of a line that is kept, in characters. A longer line is matched by its end only. */
const MAX_LINE = 64 * 1024;

/** Buffer for all reads, which are synchronous. */
const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/**
 * Creates the probe that succeeds when a line of the log matches, with or without the colours in it.
 *
 * Each attempt reads only the bytes that were written since the attempt before. A last line without its end
 * counts only when nothing was added to it between two attempts: it may be a prompt, but also half of a line
 * that does not match as a whole.
 */
export function logProbe(
  check: Extract<ProbeCheck, { kind: 'log' }>,
  { log, logFrom }: Pick<ProbeContext, 'log' | 'logFrom'>,
): Probe {
  const pattern = compilePattern(check.pattern);
  const notYet: ProbeAnswer = { kind: 'not-yet', reason: `no line matches /${check.pattern}/ yet` };

  let file: string | null = null;
  let position = logFrom;
  let decoder = new StringDecoder('utf8');
  let lastLine = '';
  /** True when nothing was added to the last line since it was tested. */
  let isTested = false;

  const readNew = async (signal: AbortSignal): Promise<ProbeAnswer> => {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      // This very process rotates the log, and must not wait for itself.
      if (log.isMoving()) return notYet;
      const extent = log.extent();
      if (!extent) return { kind: 'not-yet', reason: `the log of ${log.service} is not there` };
      if ((file !== null && file !== extent.file) || extent.to < position) {
        position = extent.live;
        lastLine = '';
        decoder = new StringDecoder('utf8');
      }
      file = extent.file;
      const read = extent.to > position ? log.read(position, buffer) : null;
      if (!read) {
        if (!isFirst || isTested || lastLine === '') return notYet;
        isTested = true;
        return lineMatches(pattern, lastLine) ? { kind: 'ok' } : notYet;
      }
      position = read.position + read.bytes.length;
      const lines = (lastLine + decoder.write(read.bytes)).split(/\r\n|\n|\r/);
      lastLine = (lines.pop() ?? '').slice(-MAX_LINE);
      isTested = false;
      if (lines.some((line) => lineMatches(pattern, line))) return { kind: 'ok' };
      // The supervisor has other things to do, however much the service writes.
      await setImmediate();
    }
    return notYet;
  };

  return {
    attemptMs: 5_000,
    attempt: async (signal) => {
      try {
        return await readNew(signal);
      } catch (error) {
        return {
          kind: 'not-yet',
          reason: `the log of ${log.service} cannot be read: ${inWords(error)}`,
        };
      }
    },
  };
}
