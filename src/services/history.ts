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
  const samplesOf = (part: 'recent' | 'hours' | 'days') => readSamples(folder, part);
  const events = readHistoryLines(folder, 'events').flatMap((line) => toHistoryEvent(line) ?? []);
  return {
    samples: mergeTiers([samplesOf('recent'), samplesOf('hours'), samplesOf('days')]),
    events: events.toSorted((one, other) => one.atMs - other.atMs),
  };
}

/** Samples that are no older than so many ms, by time, the oldest first. Never throws. */
export function readRecentSamples(folder: ProjectFolder, withinMs: number): readonly Sample[] {
  const since = Date.now() - withinMs;
  return mergeTiers([readSamples(folder, 'recent')]).filter(({ atMs }) => atMs >= since);
}

function readSamples(folder: ProjectFolder, part: 'recent' | 'hours' | 'days'): readonly Sample[] {
  return readHistoryLines(folder, part).flatMap((line) => parseSample(line) ?? []);
}
