import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inWords } from '../../errors.ts';
import { historyProblems } from '../../history/files.ts';
import { type RecordedHistory, readHistory } from '../../history/read.ts';
import type { Host } from '../../processes/host.ts';
import { readLastStop } from '../../project/last-stop.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { buildReport } from '../../report/build.ts';
import type { ActivityReport, Leftovers } from '../../report/model.ts';
import { toBreach, toChange, toStopReport } from '../../report/parse-history.ts';
import { readStatus } from './status.ts';

/**
 * Reads what happened in the project: from its history, the report of its last stop, and one look at the process table.
 * Needs no supervisor, no valid manifest and no lock, and changes nothing.
 *
 * @param sinceMs the beginning of the report, in ms since the epoch; null: the beginning of the last session
 */
export async function readActivity(
  host: Pick<Host, 'snapshot' | 'self'>,
  project: OpenProject,
  { nowMs, sinceMs }: { readonly nowMs: number; readonly sinceMs: number | null },
): Promise<ActivityReport> {
  const { folder, outline } = project;
  const { history, problems } = withoutFuture(readHistory(folder), nowMs);
  const { lastStop, stoppedMs, damage } = lastStopOf(project);
  const { left, isWatched, statusProblems } = await processesLeft(host, project);
  return buildReport({
    project: folder.root,
    name: outline.kind === 'absent' ? basename(folder.root) || folder.root : outline.name,
    nowMs,
    sinceMs,
    samples: history.samples,
    changes: history.events.flatMap((event) =>
      event.kind === 'change' ? (toChange(event) ?? []) : [],
    ),
    breaches: history.events.flatMap((event) =>
      event.kind === 'breach' ? (toBreach(event.breach, event.atMs) ?? []) : [],
    ),
    supervisor: history.events.flatMap((event) => (event.kind === 'supervisor' ? [event] : [])),
    leases: history.events.flatMap((event) =>
      event.kind === 'lease' ? [{ atMs: event.atMs, what: event.why }] : [],
    ),
    isWatched,
    declared: outline.kind === 'absent' ? [] : outline.services,
    lastStop,
    stoppedMs,
    left,
    problems: [
      ...historyProblems(folder).map(({ path, reason }) => `${path}: ${reason}`),
      ...problems,
      ...damage,
      ...statusProblems,
    ],
  });
}

/** The time by which a line of the history may lie in the future, in ms. */
const FUTURE_TOLERANCE_MS = 60_000;

/** Leaves out lines from the future, which a changed clock or damage has made: they would stretch every chart. */
function withoutFuture(
  { samples, events, unread }: RecordedHistory,
  nowMs: number,
): { history: Pick<RecordedHistory, 'samples' | 'events'>; problems: readonly string[] } {
  const isPast = ({ atMs }: { readonly atMs: number }): boolean =>
    atMs <= nowMs + FUTURE_TOLERANCE_MS;
  const history = { samples: samples.filter(isPast), events: events.filter(isPast) };
  const all = samples.length + events.length;
  const ahead = all - history.samples.length - history.events.length;
  const lines = (count: number): string => `${count} line${count === 1 ? '' : 's'} of the history`;
  return {
    history,
    problems: [
      ...(unread > 0 ? [`${lines(unread)} could not be read: left out`] : []),
      ...(ahead > 0
        ? [`${lines(ahead)} ${ahead === 1 ? 'lies' : 'lie'} in the future: left out`]
        : []),
    ],
  };
}

/** Reads the report of the last stop, and the time of that stop in ms since the epoch. */
function lastStopOf({ folder }: OpenProject) {
  const stored = readLastStop(folder);
  const lastStop = toStopReport(stored);
  const beganMs = lastStop ? Date.parse(lastStop.at) : Number.NaN;
  const path = join(folder.pidsDir, 'last-stop.json');
  const isThere = stored !== null || existsSync(path);
  const damage = isThere && lastStop === null ? [`${path}: no report of a stop can be read`] : [];
  return { lastStop, stoppedMs: Number.isNaN(beganMs) ? null : beganMs, damage };
}

interface ProcessesLeft {
  /** Null where the process table cannot be read. The rest of the report is useful without it. */
  readonly left: Omit<Leftovers, 'proved'> | null;
  readonly isWatched: boolean;
  readonly statusProblems: readonly string[];
}

async function processesLeft(
  host: Pick<Host, 'snapshot' | 'self'>,
  project: OpenProject,
): Promise<ProcessesLeft> {
  try {
    const { services, orphans, unattributed, supervisor, problems } = await readStatus(
      host,
      project,
      null,
    );
    const left = {
      services: services
        .filter(({ processes }) => processes > 0)
        .map(({ name, processes }) => ({ name, processes })),
      orphans: orphans.map(({ pid, command, service }) => ({ pid, command, service })),
      unattributed: unattributed.length,
    };
    return { left, isWatched: supervisor !== null, statusProblems: problems };
  } catch (error) {
    const statusProblems = [`what is left now cannot be told: ${inWords(error)}`];
    return { left: null, isWatched: false, statusProblems };
  }
}
