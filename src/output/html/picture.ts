import type { Breach } from '../../limits/breach.ts';
import type { Period, TimelinePoint } from '../../report/model.ts';
import { formatSize } from '../terminal/sizes.ts';
import { formatPercent } from '../text/words.ts';
import { gridLines, xOf } from './axis.ts';
import { type Html, html } from './html.ts';
import { withoutOverlap } from './marks.ts';

type Field = 'processes' | 'memoryBytes' | 'cpuPercent';

export interface Measure {
  readonly field: Field;
  readonly name: string;
  readonly limit: Breach['limit'];
  readonly show: (value: number) => string;
}

export const PROCESSES: Measure = {
  field: 'processes',
  name: 'Processes',
  limit: 'processes',
  show: String,
};
export const MEMORY: Measure = {
  field: 'memoryBytes',
  name: 'Memory',
  limit: 'memory',
  show: formatSize,
};
export const CPU: Measure = { field: 'cpuPercent', name: 'Cpu', limit: 'cpu', show: formatPercent };

type Pieces = readonly (readonly TimelinePoint[])[];

/** One curve of a picture. Later curves are drawn over earlier ones. */
interface Curve {
  readonly pieces: Pieces;
  readonly tone: 'plain' | 'grew';
}

export interface Picture {
  readonly label: string;
  readonly height: number;
  readonly curves: readonly Curve[];
  readonly measure: Measure;
  readonly period: Period;
  readonly limit: number | null;
  readonly breaches: readonly Breach[];
}

/** Width of the curves in units of their own; the browser stretches them to the page. */
const WIDTH = 1000;

export function picture({
  label,
  height,
  curves,
  measure,
  period,
  limit,
  breaches,
}: Picture): Html {
  const { field } = measure;
  const most = Math.max(
    ...curves.flatMap(({ pieces }) => pieces.flat().map((point) => point[field])),
    0,
  );
  // A limit far above a flat curve says more in words.
  const shown = limit !== null && limit <= 2 * most ? limit : null;
  const top = Math.max(most, shown ?? 0) * 1.06 || 1;
  const marks = withoutOverlap(breaches, period.untilMs - period.fromMs).map(
    ({ atMs }) =>
      html`<line class="breach" x1="${xOf(atMs, period)}" x2="${xOf(atMs, period)}" y1="0" y2="100%"/>`,
  );
  const y = (value: number): string => `${(100 - (100 * value) / top).toFixed(2)}%`;
  const line =
    shown === null
      ? null
      : html`<line class="limit" x1="0" x2="100%" y1="${y(shown)}" y2="${y(shown)}"/>`;
  return html`<svg class="picture" width="100%" height="${height}" role="img" aria-label="${label}">${gridLines(period)}
<svg viewBox="0 0 ${WIDTH} 100" preserveAspectRatio="none" width="100%" height="100%">${curves.map((curve) => drawn(curve, field, period, top))}</svg>${line}${marks}</svg>`;
}

function drawn({ pieces, tone }: Curve, field: Field, period: Period, top: number): Html {
  const lengthMs = Math.max(1, period.untilMs - period.fromMs);
  const paths = pieces.map((points) => {
    const corners = points.map((point) => ({
      x: Math.round(((point.atMs - period.fromMs) / lengthMs) * WIDTH * 10) / 10,
      y: Math.round((100 - (100 * point[field]) / top) * 10) / 10,
    }));
    const [first] = corners;
    const last = corners.at(-1);
    if (!first || !last) return html``;
    // A single sample is as wide as can just be seen.
    const line = `M${corners.map(({ x, y }) => `${x} ${y}`).join('L')}${corners.length === 1 ? 'h2' : ''}`;
    const end = corners.length === 1 ? last.x + 2 : last.x;
    return html`<path class="area" d="${line}L${end} 100L${first.x} 100Z"/><path class="line" d="${line}"/>`;
  });
  return html`<g class="${tone}">${paths}</g>`;
}

/**
 * Finds the limit to draw. A limit on PSS is not drawn, because samples count shared memory once for each
 * process.
 */
export function limitOf(breaches: readonly Breach[]): number | null {
  return breaches.find(({ measuredAs }) => measuredAs !== 'pss')?.allowed ?? null;
}
