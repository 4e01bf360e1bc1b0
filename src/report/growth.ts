import type { Sample } from '../history/samples.ts';
import type { Breach } from '../limits/breach.ts';
import type { StopReport } from '../stopping/report.ts';
import type { PeakReading, ReportedBranch, ReportedGrowth, ServiceActivity } from './model.ts';
import { totalUsage, usageOf } from './timeline.ts';

/** Least growth to report where no limit was exceeded. The value must also have doubled. */
const MANY_PROCESSES = 10;
const MUCH_MEMORY = 512 * 1024 * 1024;

/**
 * Finds the growth to report: that of the worst breach, or else that of the service that grew most beyond
 * its baseline.
 *
 * @param samples of the period, in order of time
 */
export function growthOf(
  breaches: readonly Breach[],
  services: readonly ServiceActivity[],
  samples: readonly Sample[],
  lastStop: StopReport | null,
): ReportedGrowth | null {
  const [worst] = [...breaches].sort(bySeverity);
  if (worst) return growthOfBreach(worst, breaches, services, samples, lastStop);
  const grown = services
    .map(
      (service) =>
        growthOfService(service, 'processes', samples, lastStop) ??
        growthOfService(service, 'memory', samples, lastStop),
    )
    .filter((growth) => growth !== null);
  return grown.sort((a, b) => growthFactor(b) - growthFactor(a))[0] ?? null;
}

const ACTIONS_BY_SEVERITY = ['warn', 'restart', 'stop'];

/** Compares breaches: ended or restarted before only warned, then greater excess, then earlier time. */
function bySeverity(one: Breach, other: Breach): number {
  return (
    ACTIONS_BY_SEVERITY.indexOf(other.action) - ACTIONS_BY_SEVERITY.indexOf(one.action) ||
    other.value / Math.max(1, other.allowed) - one.value / Math.max(1, one.allowed) ||
    one.atMs - other.atMs
  );
}

function growthOfBreach(
  worst: Breach,
  breaches: readonly Breach[],
  services: readonly ServiceActivity[],
  samples: readonly Sample[],
  lastStop: StopReport | null,
): ReportedGrowth {
  const { service, limit: measure, allowed: limit } = worst;
  const sameLimit = breaches.filter((one) => one.service === service && one.limit === measure);
  const first = sameLimit.reduce((a, b) => (b.atMs < a.atMs ? b : a));
  // Samples count shared memory once for each process, so they cannot be compared with a limit on PSS.
  const comparable = worst.measuredAs !== 'pss';
  const seen = comparable ? largestSeen(service, measure, services, samples) : null;
  const branch = worst.branch ?? sameLimit.find((one) => one.branch !== null)?.branch ?? null;
  return {
    service,
    measure,
    from: comparable ? baselineOf(service, measure, samples, first.atMs) : null,
    to: Math.max(seen?.value ?? 0, ...sameLimit.map(({ value }) => value)),
    limit,
    atMs: first.atMs,
    because: branch ?? (service === null ? null : branchFromLastStop(service, lastStop)),
  };
}

function largestSeen(
  service: string | null,
  measure: Breach['limit'],
  services: readonly ServiceActivity[],
  samples: readonly Sample[],
): PeakReading | null {
  if (measure !== 'processes' && measure !== 'memory') return null;
  const field = measure === 'memory' ? 'memoryBytes' : 'processes';
  if (service !== null) return services.find(({ name }) => name === service)?.peak?.[field] ?? null;
  let most: PeakReading | null = null;
  for (const { atMs, services: uses } of samples) {
    const value = totalUsage(uses)[field];
    if (value > (most?.value ?? 0)) most = { value, atMs };
  }
  return most;
}

function growthOfService(
  { name, peak }: ServiceActivity,
  measure: 'processes' | 'memory',
  samples: readonly Sample[],
  lastStop: StopReport | null,
): ReportedGrowth | null {
  const most = measure === 'memory' ? peak?.memoryBytes : peak?.processes;
  const from = baselineOf(name, measure, samples, Number.POSITIVE_INFINITY);
  if (!most || from === null) return null;
  const enough = measure === 'memory' ? MUCH_MEMORY : MANY_PROCESSES;
  if (most.value < 2 * from || most.value - from < enough) return null;
  const because = branchFromLastStop(name, lastStop);
  return { service: name, measure, from, to: most.value, limit: null, atMs: most.atMs, because };
}

/**
 * Calculates the baseline of a service before a time: the lower quartile of its samples, because most of
 * its life counts, not its beginning.
 */
function baselineOf(
  service: string | null,
  measure: ReportedGrowth['measure'],
  samples: readonly Sample[],
  untilMs: number,
): number | null {
  if (measure !== 'processes' && measure !== 'memory') return null;
  const field = measure === 'memory' ? 'memoryBytes' : 'processes';
  const seen = samples
    .filter(({ atMs }) => atMs < untilMs)
    .flatMap(({ services }) =>
      service === null ? totalUsage(services)[field] : (usageOf(services, service)?.[field] ?? []),
    )
    .sort((a, b) => a - b);
  return seen[Math.floor(seen.length / 4)] ?? null;
}

function growthFactor({ from, to }: ReportedGrowth): number {
  return to / Math.max(1, from ?? 1);
}

/**
 * Guesses the branch of a growth that nobody measured: the most frequent command line of the service at the
 * last stop. Command lines that differ only in numbers, as those of workers do, count as one.
 */
function branchFromLastStop(service: string, lastStop: StopReport | null): ReportedBranch | null {
  const byPattern = new Map<string, string[]>();
  for (const { service: of, command } of lastStop?.processes ?? []) {
    if (of !== service) continue;
    const kind = command.replace(/\d+/g, '#');
    byPattern.set(kind, [...(byPattern.get(kind) ?? []), command]);
  }
  const [most = []] = [...byPattern.values()].sort((a, b) => b.length - a.length);
  const [command] = most;
  if (command === undefined || most.length < 3) return null;
  return { pid: null, command, processes: most.length, memoryBytes: null, service };
}
