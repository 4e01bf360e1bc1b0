import type { Sample } from '../history/samples.ts';
import type { Breach } from '../limits/evaluate.ts';
import type { StopReport } from '../stopping/report.ts';
import { growthOf } from './growth.ts';
import { lastStartOf } from './last-start.ts';
import type {
  ActivityReport,
  Earlier,
  Left,
  Period,
  ReportMoment,
  ServiceActivity,
} from './model.ts';
import { type Change, restartsOf, spansOf, upMs } from './spans.ts';
import { own, peakOf, timelineOf } from './timeline.ts';

/** All that an account is made of. Each list is in order of time. */
export interface Facts {
  readonly project: string;
  readonly name: string;
  readonly nowMs: number;
  /** `--since`; null: the last session. */
  readonly sinceMs: number | null;
  readonly samples: readonly Sample[];
  readonly changes: readonly Change[];
  readonly breaches: readonly Breach[];
  readonly supervisor: readonly SupervisorMoment[];
  /** Leases that were over: why everything was stopped. */
  readonly leases: readonly ReportMoment[];
  /** Does a supervisor live now, so that the history goes on until now? */
  readonly isWatched: boolean;
  /** In the order of the manifest; it may be lost, or broken. */
  readonly declared: readonly { readonly name: string; readonly dependsOn: readonly string[] }[];
  readonly lastStop: StopReport | null;
  /** When it began; null where there is none. */
  readonly stoppedMs: number | null;
  readonly left: Omit<Left, 'proved'> | null;
  readonly problems: readonly string[];
}

export interface SupervisorMoment {
  readonly atMs: number;
  readonly what: 'began' | 'ended';
}

/** What happened, as far as it is known. */
export function buildReport(facts: Facts): ActivityReport {
  const { period, earlier } = periodOf(facts);
  const within = <Item extends { readonly atMs: number }>(items: readonly Item[]): Item[] =>
    period ? items.filter(({ atMs }) => atMs >= period.fromMs && atMs <= period.untilMs) : [];
  const samples = within(facts.samples);
  const breaches = within(facts.breaches);
  const changes = withStop(facts);
  const services = period
    ? namesOf(facts, samples, within(changes)).map((name) =>
        serviceAccount(name, { period, samples, changes, breaks: facts.supervisor }),
      )
    : [];
  const grew = growthOf(breaches, services, samples, facts.lastStop);
  const culprit = grew?.service ?? grew?.because?.service ?? null;
  const left = facts.left && { ...facts.left, proved: isProved(facts) };
  return {
    project: facts.project,
    name: facts.name,
    atMs: facts.nowMs,
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
          facts.supervisor.map(({ atMs }) => atMs),
        )
      : [],
    breaches,
    moments: within([
      ...facts.supervisor.map(
        ({ atMs, what }): ReportMoment => ({ atMs, what: `the supervisor ${what}` }),
      ),
      ...facts.leases,
    ]).sort((a, b) => a.atMs - b.atMs),
    lastStart: lastStartOf(
      changes.filter(({ atMs }) => period !== null && atMs <= period.untilMs),
      new Map(facts.declared.map(({ name, dependsOn }) => [name, dependsOn])),
    ),
    lastStop: facts.lastStop,
    problems: facts.problems,
  };
}

/**
 * The last session: since the supervisor before has ended with its last service. One that was killed has ended nothing,
 * and what it had started goes on.
 */
function periodOf(facts: Facts): { period: Period | null; earlier: Earlier | null } {
  const times = [facts.samples, facts.changes, facts.breaches, facts.supervisor].flatMap((list) =>
    list.length > 0 ? [list[0]?.atMs ?? 0, list.at(-1)?.atMs ?? 0] : [],
  );
  if (times.length === 0) return { period: null, earlier: null };
  const firstMs = Math.min(...times);
  const lastMs = Math.max(...times);
  const untilMs = facts.isWatched ? facts.nowMs : Math.max(lastMs, stopEndMs(facts) ?? lastMs);
  const ends = facts.supervisor.filter(({ what, atMs }) => what === 'ended' && atMs < lastMs);
  const sessionMs = nextAfter(facts, ends.at(-1)?.atMs ?? null) ?? firstMs;
  const fromMs = Math.max(firstMs, facts.sinceMs ?? sessionMs);
  if (fromMs > untilMs) return { period: null, earlier: earlierThan(facts, firstMs, fromMs) };
  return { period: { fromMs, untilMs }, earlier: earlierThan(facts, firstMs, fromMs) };
}

function nextAfter(facts: Facts, endMs: number | null): number | null {
  if (endMs === null) return null;
  const lists = [facts.samples, facts.changes, facts.breaches, facts.supervisor];
  const next = lists.flatMap((list) => list.find(({ atMs }) => atMs > endMs)?.atMs ?? []);
  return next.length > 0 ? Math.min(...next) : null;
}

function earlierThan({ breaches }: Facts, firstMs: number, fromMs: number): Earlier | null {
  if (firstMs >= fromMs) return null;
  const before = breaches.filter(({ atMs }) => atMs < fromMs).length;
  return { fromMs: firstMs, untilMs: fromMs, breaches: before };
}

/** A stop that no supervisor saw has left no change: its report says that the services have ended. */
function withStop(facts: Facts): readonly Change[] {
  const { changes, lastStop } = facts;
  const atMs = stopEndMs(facts);
  if (!lastStop || atMs === null) return changes;
  const missing = lastStop.services.flatMap(({ name, outcome }): Change[] => {
    const last = changes.findLast(({ service }) => service === name);
    if (outcome !== 'stopped' || !last || last.to === 'idle' || last.atMs > atMs) return [];
    return [{ atMs, service: name, from: last.to, to: 'idle', reason: 'stopped', pid: null }];
  });
  return [...changes, ...missing].sort((a, b) => a.atMs - b.atMs);
}

function namesOf(
  { declared }: Facts,
  samples: readonly Sample[],
  changes: readonly Change[],
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

interface Context {
  readonly period: Period;
  readonly samples: readonly Sample[];
  readonly changes: readonly Change[];
  readonly breaks: readonly SupervisorMoment[];
}

function serviceAccount(
  name: string,
  { period, samples, changes, breaks }: Context,
): ServiceActivity {
  const mine = changes.filter(({ service }) => service === name);
  const spans = spansOf(mine, period);
  const last = samples.at(-1);
  return {
    name,
    state: mine.findLast(({ atMs }) => atMs <= period.untilMs)?.to ?? null,
    upMs: upMs(spans),
    spans,
    restarts: restartsOf(mine, period),
    peak: peakOf(name, samples),
    last: last ? own(last.services, name) : null,
    timeline: timelineOf(
      name,
      samples,
      period,
      breaks.map(({ atMs }) => atMs),
    ),
  };
}

/** Was the last stop one of everything, complete, and is there nothing that came after it? */
function isProved(facts: Facts): boolean {
  const { lastStop, changes, samples, left } = facts;
  const endMs = stopEndMs(facts);
  if (!lastStop || endMs === null || lastStop.scope !== null) return false;
  if (!left || lastStop.survivors.length > 0) return false;
  if (left.services.length + left.orphans.length + left.unattributed > 0) return false;
  const latest = Math.max(changes.at(-1)?.atMs ?? 0, samples.at(-1)?.atMs ?? 0);
  return latest <= endMs + SLACK_MS;
}

function stopEndMs({ lastStop, stoppedMs }: Facts): number | null {
  return lastStop && stoppedMs !== null ? stoppedMs + lastStop.tookMs : null;
}

/** News of the end may be written a moment after the report. */
const SLACK_MS = 5_000;
