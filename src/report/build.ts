/*
 * The files of this folder: what happened in a project, told from its history, its last stop and one scan.
 *
 *   build          builds the report from all of the below
 *   model          the shape of the report, which `devctl report --json` prints
 *   parse-history  reads changes, breaches and the last stop, which may be damaged
 *   growth         finds what grew, and because of what
 *   spans          turns changes of state into spans, uptime and restarts
 *   trouble        finds what is or was wrong with a service
 *   timeline       turns samples into timelines and peaks
 *   last-start     finds the last start, service by service
 */
import type { Sample } from '../history/samples.ts';
import type { Breach } from '../limits/breach.ts';
import type { StopReport } from '../stopping/report.ts';
import { growthOf } from './growth.ts';
import { lastStartOf } from './last-start.ts';
import type {
  ActivityReport,
  EarlierHistory,
  Leftovers,
  Period,
  ReportMoment,
  ServiceActivity,
} from './model.ts';
import { restartsOf, type StateChange, spansOf, uptimeMs } from './spans.ts';
import { peakOf, timelineOf, usageOf } from './timeline.ts';
import { troubleOf } from './trouble.ts';

/** The input of `buildReport`. Each list is in order of time. */
export interface ReportInput {
  readonly project: string;
  readonly name: string;
  readonly nowMs: number;
  /** The time of `--since`; null: the report covers the last session. */
  readonly sinceMs: number | null;
  readonly samples: readonly Sample[];
  readonly changes: readonly StateChange[];
  readonly breaches: readonly Breach[];
  readonly supervisor: readonly SupervisorMoment[];
  /** Leases that have ended, each with the reason why everything was stopped. */
  readonly leases: readonly ReportMoment[];
  /** True while a supervisor lives, because the history then reaches until now. */
  readonly isWatched: boolean;
  /** In the order of the manifest, as far as it can be read. */
  readonly declared: readonly { readonly name: string; readonly dependsOn: readonly string[] }[];
  readonly lastStop: StopReport | null;
  /** When the last stop began; null when there was none. */
  readonly stoppedMs: number | null;
  readonly left: Omit<Leftovers, 'proved'> | null;
  readonly problems: readonly string[];
}

export interface SupervisorMoment {
  readonly atMs: number;
  readonly what: 'began' | 'ended';
}

/** Builds the report of what happened, as far as the history tells. */
export function buildReport(input: ReportInput): ActivityReport {
  const { period, earlier } = periodOf(input);
  const inPeriod = <Item extends { readonly atMs: number }>(items: readonly Item[]): Item[] =>
    period ? items.filter(({ atMs }) => atMs >= period.fromMs && atMs <= period.untilMs) : [];
  const samples = inPeriod(input.samples);
  const breaches = inPeriod(input.breaches);
  const changes = withChangesOfStop(input);
  const services = period
    ? namesOf(input, samples, inPeriod(changes)).map((name) =>
        serviceActivity(name, { period, samples, changes, breaks: input.supervisor }),
      )
    : [];
  const grew = growthOf(breaches, services, samples, input.lastStop);
  const culprit = grew?.service ?? grew?.because?.service ?? null;
  const left = input.left && { ...input.left, proved: isProved(input) };
  return {
    project: input.project,
    name: input.name,
    atMs: input.nowMs,
    period,
    earlier,
    verdict: { grew, culprit, left },
    services: [
      ...services.filter(({ name }) => name === culprit),
      ...services.filter(({ name }) => name !== culprit),
    ],
    total: period
      ? timelineOf(
          null,
          samples,
          period,
          input.supervisor.map(({ atMs }) => atMs),
        )
      : [],
    breaches,
    moments: inPeriod([
      ...input.supervisor.map(
        ({ atMs, what }): ReportMoment => ({ atMs, what: `the supervisor ${what}` }),
      ),
      ...input.leases,
    ]).sort((a, b) => a.atMs - b.atMs),
    lastStart: lastStartOf(
      changes.filter(({ atMs }) => period !== null && atMs <= period.untilMs),
      new Map(input.declared.map(({ name, dependsOn }) => [name, dependsOn])),
    ),
    lastStop: input.lastStop,
    problems: input.problems,
  };
}

/**
 * Finds the period of the report. By default it is the last session, which begins after a supervisor has
 * ended with its last service. A supervisor that was killed ends no session, because its services go on.
 */
function periodOf(input: ReportInput): { period: Period | null; earlier: EarlierHistory | null } {
  const times = [input.samples, input.changes, input.breaches, input.supervisor].flatMap((list) =>
    list.length > 0 ? [list[0]?.atMs ?? 0, list.at(-1)?.atMs ?? 0] : [],
  );
  if (times.length === 0) return { period: null, earlier: null };
  const firstMs = Math.min(...times);
  const lastMs = Math.max(...times);
  const untilMs = input.isWatched ? input.nowMs : Math.max(lastMs, stopEndMs(input) ?? lastMs);
  const ends = input.supervisor.filter(({ what, atMs }) => what === 'ended' && atMs < lastMs);
  const sessionMs = firstAfter(input, ends.at(-1)?.atMs ?? null) ?? firstMs;
  const fromMs = Math.max(firstMs, input.sinceMs ?? sessionMs);
  if (fromMs > untilMs) return { period: null, earlier: historyBefore(input, firstMs, fromMs) };
  return { period: { fromMs, untilMs }, earlier: historyBefore(input, firstMs, fromMs) };
}

function firstAfter(input: ReportInput, endMs: number | null): number | null {
  if (endMs === null) return null;
  const lists = [input.samples, input.changes, input.breaches, input.supervisor];
  const next = lists.flatMap((list) => list.find(({ atMs }) => atMs > endMs)?.atMs ?? []);
  return next.length > 0 ? Math.min(...next) : null;
}

function historyBefore(
  { breaches }: ReportInput,
  firstMs: number,
  fromMs: number,
): EarlierHistory | null {
  if (firstMs >= fromMs) return null;
  const before = breaches.filter(({ atMs }) => atMs < fromMs).length;
  return { fromMs: firstMs, untilMs: fromMs, breaches: before };
}

/** Adds the changes of a stop that no supervisor saw, from the report of that stop. */
function withChangesOfStop(input: ReportInput): readonly StateChange[] {
  const { changes, lastStop } = input;
  const atMs = stopEndMs(input);
  if (!lastStop || atMs === null) return changes;
  const missing = lastStop.services.flatMap(({ name, outcome }): StateChange[] => {
    const last = changes.findLast(({ service }) => service === name);
    if (outcome !== 'stopped' || !last || last.to === 'idle' || last.atMs > atMs) return [];
    return [{ atMs, service: name, from: last.to, to: 'idle', reason: 'stopped', pid: null }];
  });
  return [...changes, ...missing].sort((a, b) => a.atMs - b.atMs);
}

function namesOf(
  { declared }: ReportInput,
  samples: readonly Sample[],
  changes: readonly StateChange[],
): readonly string[] {
  const seen = new Set([
    ...changes.map(({ service }) => service),
    ...samples.flatMap(({ services }) => Object.keys(services)),
  ]);
  const known = declared.map(({ name }) => name);
  return [
    ...known.filter((name) => seen.has(name)),
    ...[...seen].filter((name) => !known.includes(name)),
  ];
}

interface ActivityContext {
  readonly period: Period;
  readonly samples: readonly Sample[];
  readonly changes: readonly StateChange[];
  readonly breaks: readonly SupervisorMoment[];
}

function serviceActivity(
  name: string,
  { period, samples, changes, breaks }: ActivityContext,
): ServiceActivity {
  const mine = changes.filter(({ service }) => service === name);
  const known = mine.filter(({ atMs }) => atMs <= period.untilMs);
  const spans = spansOf(mine, period);
  const last = samples.at(-1);
  return {
    name,
    state: known.at(-1)?.to ?? null,
    trouble: troubleOf(known, period.fromMs),
    upMs: uptimeMs(spans),
    spans,
    restarts: restartsOf(mine, period),
    peak: peakOf(name, samples),
    last: last ? usageOf(last.services, name) : null,
    timeline: timelineOf(
      name,
      samples,
      period,
      breaks.map(({ atMs }) => atMs),
    ),
  };
}

/** True when the last stop covered everything and was complete, and nothing came after it. */
function isProved(input: ReportInput): boolean {
  const { lastStop, changes, samples, left } = input;
  const endMs = stopEndMs(input);
  if (!lastStop || endMs === null || lastStop.scope !== null) return false;
  if (!left || lastStop.survivors.length > 0) return false;
  if (left.services.length + left.orphans.length + left.unattributed > 0) return false;
  const latest = Math.max(changes.at(-1)?.atMs ?? 0, samples.at(-1)?.atMs ?? 0);
  return latest <= endMs + LATE_CHANGES_MS;
}

function stopEndMs({ lastStop, stoppedMs }: ReportInput): number | null {
  return lastStop && stoppedMs !== null ? stoppedMs + lastStop.tookMs : null;
}

/** Time after the end of a stop in which its last changes may still be written. */
const LATE_CHANGES_MS = 5_000;
