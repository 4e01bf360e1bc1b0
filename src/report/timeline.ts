import type { Sample, ServiceUse } from '../history/samples.ts';
import type { Peak, PeakReading, Period, TimelinePoint } from './model.ts';

/** More points than this nobody can see beside each other. */
const MOST_POINTS = 300;

/**
 * The timeline of one service in pieces: where a sample does not have it, or nobody was looking, one ends and
 * another begins. Where there are more samples than can be drawn, a point stands for several, with the
 * most of each measure, so that no peak is lost.
 *
 * @param samples in order of time
 * @param breaks when nobody was looking for a while: moments that no piece goes across
 */
export function timelineOf(
  /** Null: all of them together. */
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

/** All services as one. A sample without any is one all the same: nothing was alive. */
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

/** The most of each measure, and when it was reached first; null without a sample of it. */
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

/** Names come from files: `constructor` is no property of what was read. */
export function usageOf(services: Sample['services'], name: string): ServiceUse | null {
  return Object.hasOwn(services, name) ? (services[name] ?? null) : null;
}
