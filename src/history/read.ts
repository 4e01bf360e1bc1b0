import type { ProjectFolder } from '../project/folder.ts';
import { type HistoryEvent, toHistoryEvent } from './events.ts';
import { type HistoryPart, readHistoryLines } from './files.ts';
import { mergeTiers, parseSample } from './sample-lines.ts';
import type { Sample } from './samples.ts';

/** What is kept of a project's past. It outlives its supervisor, and a stop. */
export interface RecordedHistory {
  /** By time, the oldest first: one a second for the last minutes, and fewer the older they are. */
  readonly samples: readonly Sample[];
  /** By time, the oldest first. */
  readonly events: readonly HistoryEvent[];
  /** Lines that say nothing: cut off, overwritten, or of a later devctl. */
  readonly unread: number;
}

/** Reads what a supervisor writes, while it does. What cannot be read is left out; never throws. */
export function readHistory(folder: ProjectFolder): RecordedHistory {
  let unread = 0;
  const read = <Item>(part: HistoryPart, parse: (line: unknown) => Item | null): Item[] =>
    readHistoryLines(folder, part).flatMap((line) => {
      const item = parse(line);
      if (item === null) unread += 1;
      return item ?? [];
    });
  const tiers = (['recent', 'hours', 'days'] as const).map((part) => read(part, parseSample));
  const events = read('events', toHistoryEvent);
  return {
    samples: mergeTiers(tiers),
    events: events.toSorted((one, other) => one.atMs - other.atMs),
    unread,
  };
}

/** Samples that are no older than so many ms, by time, the oldest first. Never throws. */
export function readRecentSamples(folder: ProjectFolder, withinMs: number): readonly Sample[] {
  const since = Date.now() - withinMs;
  const recent = readHistoryLines(folder, 'recent').flatMap((line) => parseSample(line) ?? []);
  return mergeTiers([recent]).filter(({ atMs }) => atMs >= since);
}
