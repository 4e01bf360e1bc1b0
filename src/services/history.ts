import type { ProjectFolder } from '../project/folder.ts';
import { readHistoryLines } from '../project/history-file.ts';
import { type HistoryEvent, toHistoryEvent } from './history-events.ts';
import { mergeTiers, parseSample } from './sample-lines.ts';
import type { Sample } from './samples.ts';

/** What is kept of a project's past. It outlives its supervisor, and a stop. */
export interface History {
  /** By time, the oldest first: one a second for the last minutes, and fewer the older they are. */
  readonly samples: readonly Sample[];
  /** By time, the oldest first. */
  readonly events: readonly HistoryEvent[];
}

/** Reads what a supervisor writes, while it does. What cannot be read is left out; never throws. */
export function readHistory(folder: ProjectFolder): History {
  const samplesOf = (name: 'recent' | 'hours' | 'days'): readonly Sample[] =>
    readHistoryLines(folder, name).flatMap((line) => parseSample(line) ?? []);
  const events = readHistoryLines(folder, 'events').flatMap((line) => toHistoryEvent(line) ?? []);
  return {
    samples: mergeTiers([samplesOf('recent'), samplesOf('hours'), samplesOf('days')]),
    events: events.toSorted((one, other) => one.atMs - other.atMs),
  };
}
