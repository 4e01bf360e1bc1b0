import type { Breach } from '../../limits/breach.ts';
import type { Period, ServiceActivity, StateSpan } from '../../report/model.ts';
import { formatMoment } from '../terminal/clock.ts';
import { formatSize } from '../terminal/sizes.ts';
import { breachSentence, countInWords, formatPercent } from '../text/words.ts';
import { stateName } from './state-band.ts';

/** Most events of a timeline, because nobody would walk through more; the last ones are kept. */
const MOST_EVENTS = 500;

/** A stop of the slider over a timeline: its place (0 to 1), and its text. */
export type SliderStop = readonly [at: number, text: string];

/** Lists all samples and events of one service, in order of time. */
export function sliderStops(
  service: ServiceActivity,
  breaches: readonly Breach[],
  restarts: ServiceActivity['restarts'],
  spans: readonly StateSpan[],
  period: Period,
): readonly SliderStop[] {
  const lengthMs = Math.max(1, period.untilMs - period.fromMs);
  const stateAt = (at: number): string => {
    const span = spans.find(({ fromMs, untilMs }) => at >= fromMs && at < untilMs);
    return span ? ` ${stateName(span.state)},` : '';
  };
  const sampleStops = service.timeline.flat().map((point) => ({
    atMs: point.atMs,
    text: `${stateAt(point.atMs)} ${countInWords(point.processes, 'process', 'processes')}, ${formatSize(point.memoryBytes)}, ${formatPercent(point.cpuPercent)} cpu`,
  }));
  const eventStops = [
    ...restarts.map(({ atMs, reason }) => ({ atMs, text: ` restart: ${reason}` })),
    ...breaches.map((breach) => ({
      atMs: breach.atMs,
      text: ` limit exceeded: ${breachSentence(breach)}`,
    })),
    ...spans.map((span) => ({
      atMs: span.fromMs,
      text: ` ${stateName(span.state)}${span.reason === null ? '' : `: ${span.reason}`}`,
    })),
  ].sort((a, b) => a.atMs - b.atMs);
  return [...sampleStops, ...eventStops.slice(-MOST_EVENTS)]
    .filter(({ atMs }) => atMs >= period.fromMs && atMs <= period.untilMs)
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, text }) => [
      Math.round(((atMs - period.fromMs) / lengthMs) * 10_000) / 10_000,
      `${formatMoment(atMs, period)}${text}`,
    ]);
}
