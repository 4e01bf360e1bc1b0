/*
 * The files of this folder: the texts that people read about a stop, a sweep and a report.
 *
 *   words     sentences about a report, for the terminal and for the page
 *   activity  prints `devctl report`
 *   evidence  explains why processes are ours
 *   stop      prints a stop and a dry run
 *   sweep     prints `devctl sweep`
 */

import type { Breach } from '../../limits/breach.ts';
import { DEVCTL } from '../../own-command.ts';
import type {
  ActivityReport,
  Leftovers,
  ReportedBranch,
  ReportedGrowth,
  ServiceActivity,
  ServiceTrouble,
} from '../../report/model.ts';
import type { StopReport } from '../../stopping/report.ts';
import { formatClock, formatDate, formatDateAndClock } from '../terminal/clock.ts';
import { formatDuration } from '../terminal/durations.ts';
import { formatSize } from '../terminal/sizes.ts';

/** Writes the headline: what grew, or else which service did not stay up. */
export function headline(report: ActivityReport): string {
  const { grew } = report.verdict;
  if (grew) return `${subjectOf(grew.service)} ${growthInWords(grew)}`;
  const trouble = troubleIn(report.services);
  if (trouble) return trouble;
  if (report.period) return 'Nothing grew beyond its limits';
  return report.lastStop
    ? 'Of this time only the last stop is known'
    : 'Nothing is known of what happened here';
}

/**
 * Describes the services with which something is wrong now, or else those with which something was, or else the service
 * with the most restarts; null when all is well.
 */
function troubleIn(services: readonly ServiceActivity[]): string | null {
  const named = (kind: ServiceTrouble['kind'], isNow: boolean): readonly ServiceActivity[] =>
    services.filter(({ trouble }) => trouble?.kind === kind && trouble.isNow === isNow);
  const now = [
    tell(named('failed', true), 'failed', 'failed'),
    tell(named('unhealthy', true), 'is unhealthy', 'are unhealthy'),
    tellBlocked(named('blocked', true)),
  ].filter((part) => part !== null);
  if (now.length > 0) return now.join('; ');
  const before = named('failed', false);
  const [only] = before.length === 1 ? before : [];
  if (only)
    return `${only.name} failed before, and is ${only.state === 'idle' ? 'stopped' : only.state} now`;
  if (before.length > 0) return tell(before, 'failed before', 'failed before');
  const [worst] = [...services].sort((a, b) => b.restarts.length - a.restarts.length);
  if (!worst || worst.restarts.length === 0) return null;
  return `${worst.name} was restarted ${countInWords(worst.restarts.length, 'time', 'times')}`;
}

function tell(services: readonly ServiceActivity[], one: string, more: string): string | null {
  if (services.length === 0) return null;
  const names =
    services.length > 3
      ? `${services.length} services`
      : services.map(({ name }) => name).join(', ');
  return `${names} ${services.length === 1 ? one : more}`;
}

function tellBlocked(services: readonly ServiceActivity[]): string | null {
  const [only] = services.length === 1 ? services : [];
  if (only) return `${only.name} is ${blockedInWords(only.trouble?.reason ?? null)}`;
  return tell(services, 'is blocked', 'are blocked');
}

function blockedInWords(reason: string | null): string {
  return reason === null ? 'blocked' : `blocked (${reason})`;
}

function subjectOf(service: string | null): string {
  return service ?? 'The project';
}

function growthInWords({ measure, from, to, limit }: ReportedGrowth): string {
  const beyond =
    limit === null ? '' : `, beyond the limit of ${formatMeasureShort(measure, limit)}`;
  const start = from !== null && from < to ? ` from ${formatMeasureShort(measure, from)}` : '';
  switch (measure) {
    case 'processes':
    case 'memory':
      return `grew${start} to ${formatMeasure(measure, to)}${beyond}`;
    case 'cpu':
      return `used ${formatMeasure(measure, to)}${beyond}`;
    case 'runtime':
      return `ran for ${formatMeasure(measure, to)}${beyond}`;
    case 'idle':
      return `did nothing for ${formatMeasure(measure, to)}${beyond}`;
  }
}

/** Formats a value in the unit of its measure: `112 processes`, `2.1 GB`, `340% cpu`, `2 h`. */
export function formatMeasure(measure: Breach['limit'], value: number): string {
  switch (measure) {
    case 'processes':
      return countInWords(value, 'process', 'processes');
    case 'memory':
      return formatSize(value);
    case 'cpu':
      return `${formatPercent(value)} cpu`;
    default:
      return formatDuration(value);
  }
}

/** Does the same, but leaves out "processes", because the text before has named the unit. */
export function formatMeasureShort(measure: Breach['limit'], value: number): string {
  return measure === 'processes' ? String(value) : formatMeasure(measure, value);
}

/** Formats a percentage: `340%`, below ten `4.2%`. */
export function formatPercent(value: number): string {
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}%`;
}

export function countInWords(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** Describes when the growth was, and how long after the beginning of the period. */
export function growthTime(report: ActivityReport): {
  readonly at: string;
  readonly since: string | null;
} {
  const { grew } = report.verdict;
  const { period } = report;
  if (!grew) return { at: period ? formatPeriod(period.fromMs, period.untilMs) : '-', since: null };
  const after = grew.atMs - (period?.fromMs ?? grew.atMs);
  const since = after > 0 ? `${formatDuration(after)} into the session` : null;
  return { at: formatDateAndClock(grew.atMs), since };
}

/** Formats a period: `2026-11-23 17:04:10 to 17:21:03`. */
export function formatPeriod(fromMs: number, untilMs: number): string {
  const sameDay = formatDate(fromMs) === formatDate(untilMs);
  const until = sameDay ? formatClock(untilMs) : formatDateAndClock(untilMs);
  return `${formatDateAndClock(fromMs)} to ${until}`;
}

/**
 * Describes the size of the branch that grew, to stand beside its command.
 *
 * @param whose the service that the text before has named; null: the project
 */
export function branchSize(branch: ReportedBranch, whose: string | null): string {
  const { pid, processes, memoryBytes, service } = branch;
  const memory = memoryBytes === null ? '' : `, ${formatSize(memoryBytes)}`;
  return pid === null
    ? `${processes} like it at the last stop; what grew nobody saw`
    : `${service === null || service === whose ? '' : `of ${service}, `}pid ${pid} and below: ${countInWords(processes, 'process', 'processes')}${memory}`;
}

/**
 * Describes the state of a service at the end of the period. A service that was up then may have gone
 * since, unseen.
 */
export function stateInWords(
  { name, state, trouble }: ServiceActivity,
  { verdict }: ActivityReport,
): string {
  if (state === null) return 'state not known';
  if (state === 'failed' && trouble?.kind === 'blocked') return blockedInWords(trouble.reason);
  if (state === 'idle') return 'stopped';
  const isSeen = verdict.left?.services.some((service) => service.name === name) ?? false;
  return isSeen || !ALIVE.has(state) ? state : `${state} when last seen`;
}

const ALIVE: ReadonlySet<string> = new Set(['starting', 'running', 'ready', 'unhealthy']);

/**
 * The answer to "is anything left?". 'good': nothing; 'bad': processes that should not be there; 'calm':
 * services that are meant to run.
 */
export interface LeftInWords {
  readonly tone: 'good' | 'bad' | 'calm';
  readonly short: string;
  readonly detail: string;
}

export function leftInWords(report: ActivityReport): LeftInWords {
  const { left } = report.verdict;
  const lookedAt = `looked at ${formatDateAndClock(report.atMs)}`;
  if (!left) return { tone: 'bad', short: 'Not known', detail: 'the process table cannot be read' };
  if (left.orphans.length > 0) {
    const alive = countInWords(left.orphans.length, 'orphan is alive', 'orphans are alive');
    return { tone: 'bad', short: alive, detail: `${lookedAt}; ${DEVCTL} stop ends them` };
  }
  if (left.services.length + left.unattributed > 0) return runningInWords(left, lookedAt);
  if (!report.lastStop || !left.proved) {
    const detail = `${lookedAt}; no stop has proved it since, ${DEVCTL} stop does`;
    return { tone: 'good', short: 'Nothing was found', detail };
  }
  const isComplete = report.lastStop.proof.strength === 'complete';
  const short = isComplete ? 'Nothing' : 'Nothing can be found';
  return { tone: 'good', short, detail: `${proofInWords(report.lastStop)}; ${lookedAt}` };
}

function runningInWords({ services, unattributed }: Leftovers, lookedAt: string): LeftInWords {
  const processes = services.reduce((sum, one) => sum + one.processes, unattributed);
  const what = countInWords(services.length, 'service runs', 'services run');
  const detail = `${countInWords(processes, 'process', 'processes')}; ${lookedAt}`;
  return { tone: 'calm', short: what, detail };
}

export function proofInWords({ proof }: StopReport): string {
  const scans = countInWords(proof.scans, 'scan', 'scans');
  return proof.strength === 'complete'
    ? `proof complete, ${scans}`
    : `proof best effort: ${proof.why ?? 'why is not known'}`;
}

/** The action that devctl took on a breach. */
export const ACTION_TAKEN: { readonly [Action in Breach['action']]: string } = {
  warn: 'warned',
  stop: 'stopped',
  restart: 'restarted',
};

/** Describes a breach: `web: 112 processes, allowed 100; stopped`. */
export function breachSentence({ service, limit, value, allowed, action }: Breach): string {
  const what = `${formatMeasure(limit, value)}, allowed ${formatMeasureShort(limit, allowed)}`;
  return `${service ?? 'the project'}: ${what}; ${ACTION_TAKEN[action]}`;
}
