import type { ProjectFolder } from '../project/folder.ts';
import { type HistoryEvent, toHistoryEvent } from './events.ts';
import { type HistoryPart, readHistoryLines } from './files.ts';
import { mergeTiers, parseSample } from './sample-lines.ts';
import type { Sample } from './samples.ts';

/** The recorded past of a project. It outlives the supervisor, and a stop. */
export interface RecordedHistory {
  /** By time, the oldest first: one a second for the last minutes, and less frequent the older they are. */
  readonly samples: readonly Sample[];
  /** By time, the oldest first. */
  readonly events: readonly HistoryEvent[];
  /** Number of lines that could not be read: cut off, overwritten, or written by a later devctl. */
  readonly unread: number;
}

/** Reads the history, also while a supervisor writes it. Unreadable lines are left out. Never throws. */
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

/** Reads the events alone, by time, the oldest first. Never throws. */
export function readEvents(folder: ProjectFolder): readonly HistoryEvent[] {
  const events = readHistoryLines(folder, 'events').flatMap((line) => toHistoryEvent(line) ?? []);
  return events.toSorted((one, other) => one.atMs - other.atMs);
}

/** Reads the samples that are not older than `withinMs`, by time, the oldest first. Never throws. */
export function readRecentSamples(folder: ProjectFolder, withinMs: number): readonly Sample[] {
  const since = Date.now() - withinMs;
  const recent = readHistoryLines(folder, 'recent').flatMap((line) => parseSample(line) ?? []);
  return mergeTiers([recent]).filter(({ atMs }) => atMs >= since);
}
