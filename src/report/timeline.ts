import type { Sample, ServiceUse } from '../history/samples.ts';
import type { Peak, PeakReading, Period, TimelinePoint } from './model.ts';

/** Most points of a timeline, because more cannot be told apart beside each other. */
const MOST_POINTS = 300;

/**
 * Builds the timeline of one service, in pieces. A piece ends where a sample lacks the service, or where no
 * supervisor took samples. When there are more samples than points, a point stands for several samples and
 * has the highest value of each measure, so that no peak is lost.
 *
 * @param service null: all services together
 * @param samples in order of time
 * @param breaks times at which sampling was interrupted; no piece goes across them
 */
export function timelineOf(
  service: string | null,
  samples: readonly Sample[],
  period: Period,
  breaks: readonly number[],
  maxPoints = MOST_POINTS,
): readonly (readonly TimelinePoint[])[] {
  const pieces: TimelinePoint[][] = [];
  let piece: TimelinePoint[] | null = null;
  let before = Number.NEGATIVE_INFINITY;
  for (const { atMs, services } of samples) {
    const use = service === null ? totalUsage(services) : usageOf(services, service);
    if (use === null || breaks.some((at) => at > before && at <= atMs)) piece = null;
    before = atMs;
    if (use === null) continue;
    if (piece === null) {
      piece = [];
      pieces.push(piece);
    }
    piece.push({ atMs, ...use });
  }
  const widthMs = (period.untilMs - period.fromMs) / maxPoints;
  const pointCount = pieces.reduce((sum, { length }) => sum + length, 0);
  return pointCount <= maxPoints
    ? pieces
    : pieces.map((points) => downsample(points, period.fromMs, widthMs));
}

function downsample(
  points: readonly TimelinePoint[],
  fromMs: number,
  widthMs: number,
): readonly TimelinePoint[] {
  const thinned: TimelinePoint[] = [];
  let slot = Number.NaN;
  for (const point of points) {
    const at = Math.floor((point.atMs - fromMs) / Math.max(1, widthMs));
    const last = thinned.at(-1);
    if (last && at === slot) thinned[thinned.length - 1] = maximumOf(last, point);
    else thinned.push(point);
    slot = at;
  }
  return thinned;
}

function maximumOf(one: TimelinePoint, other: TimelinePoint): TimelinePoint {
  return {
    atMs: one.atMs,
    processes: Math.max(one.processes, other.processes),
    memoryBytes: Math.max(one.memoryBytes, other.memoryBytes),
    cpuPercent: Math.max(one.cpuPercent, other.cpuPercent),
  };
}

/** Sums the usage of all services. A sample without services counts as zero, because nothing was alive. */
export function totalUsage(services: Sample['services']): ServiceUse {
  const uses = Object.values(services);
  const sum = (field: keyof ServiceUse): number =>
    uses.reduce((total, use) => total + use[field], 0);
  return {
    processes: sum('processes'),
    memoryBytes: sum('memoryBytes'),
    cpuPercent: sum('cpuPercent'),
  };
}

/** Finds the highest value of each measure and its first time; null when no sample has the service. */
export function peakOf(service: string, samples: readonly Sample[]): Peak | null {
  let peak: Peak | null = null;
  for (const { atMs, services } of samples) {
    const use = usageOf(services, service);
    if (use === null) continue;
    const reading = (measure: keyof ServiceUse): PeakReading => {
      const known = peak?.[measure];
      return known && known.value >= use[measure] ? known : { value: use[measure], atMs };
    };
    peak = {
      processes: reading('processes'),
      memoryBytes: reading('memoryBytes'),
      cpuPercent: reading('cpuPercent'),
    };
  }
  return peak;
}

/**
 * Looks up the usage of a service. It takes own keys only, because names come from files: `constructor` is
 * no service.
 */
export function usageOf(services: Sample['services'], name: string): ServiceUse | null {
  return Object.hasOwn(services, name) ? (services[name] ?? null) : null;
}
