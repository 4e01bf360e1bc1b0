import { inWords } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { addToBucket, type Bucket, toSample } from './buckets.ts';
import { type HistoryEvent, toHistoryEvent } from './events.ts';
import { appendHistory, type HistoryPart, readHistoryLines } from './files.ts';
import { formatSample } from './sample-lines.ts';
import type { Sample } from './samples.ts';

/** Writes the history of a project. A failure never reaches the caller. */
export interface HistoryWriter {
  /** @param forMs time that the sample speaks of: since the sample before */
  sample(sample: Sample, forMs: number): void;
  event(event: HistoryEvent): void;
  /** Writes the events of this turn of the event loop, and the samples that are still being gathered. */
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

/** The parts of the history that gather samples, with the width of their buckets in ms. */
const WIDTHS = { hours: 10_000, days: 60_000 } as const;
const GATHERED = ['hours', 'days'] as const;

/**
 * Opens the history of a project for writing.
 *
 * Every sample goes to `recent`. The other parts are coarser and reach further back. All are only appended to,
 * so nothing has to be read or kept in memory in order to thin old samples.
 *
 * @param log called when the history cannot be written, and again only after it could be written
 */
export function openHistoryWriter(
  folder: ProjectFolder,
  log: (line: string) => void,
): HistoryWriter {
  return new Writer(folder, log);
}

class Writer implements HistoryWriter {
  readonly #folder: ProjectFolder;
  readonly #log: (line: string) => void;
  readonly #buckets: Record<keyof typeof WIDTHS, Bucket | null> = { hours: null, days: null };
  readonly #events: string[] = [];
  #flush: NodeJS.Immediate | null = null;
  #isFailing = false;

  constructor(folder: ProjectFolder, log: (line: string) => void) {
    this.#folder = folder;
    this.#log = log;
  }

  sample(sample: Sample, forMs: number): void {
    this.#append('recent', formatSample(sample));
    for (const part of GATHERED) {
      const { bucket, done } = addToBucket(this.#buckets[part], sample, forMs, WIDTHS[part]);
      this.#buckets[part] = bucket;
      if (done) this.#append(part, formatSample(done));
    }
  }

  event(event: HistoryEvent): void {
    this.#events.push(JSON.stringify(event));
    // Hundreds of services change together: their lines are one write.
    this.#flush ??= setImmediate(() => this.#writeEvents());
  }

  close(): void {
    this.#writeEvents();
    for (const part of GATHERED) {
      const bucket = this.#buckets[part];
      if (bucket) this.#append(part, formatSample(toSample(bucket)));
      this.#buckets[part] = null;
    }
  }

  #writeEvents(): void {
    if (this.#flush) clearImmediate(this.#flush);
    this.#flush = null;
    const lines = this.#events.splice(0);
    if (lines.length > 0) this.#append('events', lines.join('\n'));
  }

  #append(part: HistoryPart, line: string): void {
    try {
      appendHistory(this.#folder, part, line);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log(`the history has a gap: ${inWords(error)}`);
      this.#isFailing = true;
    }
  }
}
