import { lstatSync } from 'node:fs';
import { sizeInWords } from '../manifest/units.ts';
import type { ServiceRecord } from '../project/service-record.ts';

/** What is written at full speed is ahead of its rotation, but not by so much. */
const AHEAD_FACTOR = 2;
const AHEAD_BYTES = 8 * 1024 * 1024;
/** Of st_blocks, stat(3type). */
const BLOCK_BYTES = 512;

/** Logs that take far more of the disk than they are to, in words: nobody rotates them, or cannot. */
export function findOversizedLogs(records: readonly ServiceRecord[]): readonly string[] {
  return records.flatMap(({ service, log, logRotation }) => {
    if (!logRotation) return [];
    const { maxSize } = logRotation;
    // What was moved away may have left a hole, which takes nothing.
    const blocks = lstatSync(log, { throwIfNoEntry: false })?.blocks ?? 0;
    const bytes = blocks * BLOCK_BYTES;
    if (bytes <= AHEAD_FACTOR * maxSize + AHEAD_BYTES) return [];
    const sizes = `${sizeInWords(bytes)}, and was to be rotated at ${sizeInWords(maxSize)}`;
    return [`the log of ${service} has ${sizes}`];
  });
}
