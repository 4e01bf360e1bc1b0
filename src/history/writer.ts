import { inWords } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { addToBucket, type Bucket, toSample } from './buckets.ts';
import { type HistoryEvent, toHistoryEvent } from './events.ts';
import { appendHistory, type HistoryPart, readHistoryLines } from './files.ts';
import { formatSample } from './sample-lines.ts';
import type { Sample } from './samples.ts';

/** Writes the history of a project, for `readHistory`. Nothing that goes wrong here reaches the caller. */
export interface HistoryWriter {
  /** @param forMs how long it speaks of: since the one before */
  sample(sample: Sample, forMs: number): void;
  event(event: HistoryEvent): void;
  /** Writes what was still being gathered. */
  close(): void;
}

/**
 * Says in the history that everything has ended, unless the last supervisor has said so itself.
 *
 * @throws as `appendHistory`
 */
export function endSession(folder: ProjectFolder, atMs: number): void {
  const events = readHistoryLines(folder, 'events').map(toHistoryEvent);
  const last = events.findLast((event) => event?.kind === 'supervisor');
  if (last?.kind !== 'supervisor' || last.what === 'ended') return;
  const event: HistoryEvent = { atMs, kind: 'supervisor', what: 'ended' };
  appendHistory(folder, 'events', JSON.stringify(event));
}

/** Every sample goes to `recent`; these gather those of one stretch of time. In ms. */
const WIDTHS = { hours: 10_000, days: 60_000 } as const;

/**
 * Several files, each finer and shorter than the next, and only appended to: so nothing has to be read or kept
 * in memory in order to thin what grows old.
 *
 * @param log is told when it cannot be written, and again only after it could
 */
export function openHistoryWriter(
  folder: ProjectFolder,
  log: (line: string) => void,
): HistoryWriter {
  const buckets: { hours: Bucket | null; days: Bucket | null } = { hours: null, days: null };
  let isFailing = false;

  const append = (part: HistoryPart, line: string): void => {
    try {
      appendHistory(folder, part, line);
      isFailing = false;
    } catch (error) {
      if (!isFailing) log(`the history has a gap: ${inWords(error)}`);
      isFailing = true;
    }
  };

  return {
    sample(sample, forMs) {
      append('recent', formatSample(sample));
      for (const part of ['hours', 'days'] as const) {
        const { bucket, done } = addToBucket(buckets[part], sample, forMs, WIDTHS[part]);
        buckets[part] = bucket;
        if (done) append(part, formatSample(done));
      }
    },
    event(event) {
      append('events', JSON.stringify(event));
    },
    close() {
      for (const part of ['hours', 'days'] as const) {
        const bucket = buckets[part];
        if (bucket) append(part, formatSample(toSample(bucket)));
        buckets[part] = null;
      }
    },
  };
}
