import { lstatSync } from 'node:fs';
import { sizeInWords } from '../manifest/units.ts';
import type { ServiceRecord } from '../project/service-record.ts';

/** Size beyond its rotation that a log may have: a service at full speed writes faster than devctl rotates. */
const AHEAD_FACTOR = 2;
const AHEAD_BYTES = 8 * 1024 * 1024;
/** Unit of st_blocks (stat(3type)). */
const BLOCK_BYTES = 512;

/** Says which logs take far more of the disk than their rotation allows, because nobody rotates them. */
export function findOversizedLogs(records: readonly ServiceRecord[]): readonly string[] {
  return records.flatMap(({ service, log, logRotation }) => {
    if (!logRotation) return [];
    const { maxSize } = logRotation;
    // Blocks, not the size: a rotation may leave a hole, which takes no disk.
    const blocks = lstatSync(log, { throwIfNoEntry: false })?.blocks ?? 0;
    const bytes = blocks * BLOCK_BYTES;
    if (bytes <= AHEAD_FACTOR * maxSize + AHEAD_BYTES) return [];
    const sizes = `${sizeInWords(bytes)}, and was to be rotated at ${sizeInWords(maxSize)}`;
    return [`the log of ${service} has ${sizes}`];
  });
}
