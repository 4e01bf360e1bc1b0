import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { errnoOf } from '../../errors.ts';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';

const CHUNK_BYTES = 64 * 1024;
/** A longer line is matched by its end only. */
const MAX_LINE = 64 * 1024;

/**
 * Ready when a line of the log matches, with or without the colours in it.
 *
 * Each attempt reads only what was written since the one before. A last line without its end counts
 * when nothing was added to it between two attempts: it may be a prompt, but also half of a line
 * that would not match as a whole.
 */
export function logProbe(
  check: Extract<ProbeCheck, { kind: 'log' }>,
  context: Pick<ProbeContext, 'logFile' | 'logOffset'>,
): Probe {
  const pattern = new RegExp(check.pattern);
  const matches = (line: string) =>
    pattern.test(line) || pattern.test(stripVTControlCharacters(line));
  const notYet: ProbeAnswer = { kind: 'not-yet', reason: `no line matches /${check.pattern}/ yet` };

  let inode: number | null = null;
  let offset = context.logOffset;
  let decoder = new StringDecoder('utf8');
  let lastLine = '';

  const readNew = async (file: FileHandle, signal: AbortSignal): Promise<boolean> => {
    const stat = await file.stat();
    const replaced = inode !== null && inode !== stat.ino;
    inode = stat.ino;
    if (replaced || stat.size < offset) {
      offset = 0;
      lastLine = '';
      decoder = new StringDecoder('utf8');
    }
    if (stat.size === offset) return lastLine !== '' && matches(lastLine);

    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, stat.size - offset));
    while (!signal.aborted) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
      const lines = (lastLine + decoder.write(buffer.subarray(0, bytesRead))).split(/\r\n|\n|\r/);
      lastLine = (lines.pop() ?? '').slice(-MAX_LINE);
      if (lines.some(matches)) return true;
    }
    return false;
  };

  return {
    attemptMs: 5_000,
    attempt: async (signal) => {
      let file: FileHandle | undefined;
      try {
        file = await open(
          context.logFile,
          constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
        );
        return (await readNew(file, signal)) ? { kind: 'ok' } : notYet;
      } catch (error) {
        const why = errnoOf(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${error}`;
        return { kind: 'not-yet', reason: `the log ${context.logFile} ${why}` };
      } finally {
        await file?.close();
      }
    },
  };
}
