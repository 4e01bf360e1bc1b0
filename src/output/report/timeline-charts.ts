import type { Account, Period, Point, ServiceAccount, Span } from '../../account/account.ts';
import type { Breach } from '../../services/limits.ts';
import { formatMoment } from '../clock.ts';
import { formatDuration } from '../durations.ts';
import { formatSize } from '../sizes.ts';
import { axis, gridLines, xOf } from './axis.ts';
import { type Html, html } from './html.ts';
import { breachInWords, counted, percent } from './words.ts';

type Field = 'processes' | 'memoryBytes' | 'cpuPercent';

interface Measure {
  readonly field: Field;
  readonly name: string;
  readonly limit: Breach['limit'];
  readonly show: (value: number) => string;
}

const PROCESSES: Measure = {
  field: 'processes',
  name: 'Processes',
  limit: 'processes',
  show: String,
};
const MEMORY: Measure = {
  field: 'memoryBytes',
  name: 'Memory',
  limit: 'memory',
  show: formatSize,
};
const CPU: Measure = { field: 'cpuPercent', name: 'Cpu', limit: 'cpu', show: percent };

type Pieces = readonly (readonly Point[])[];

/** One curve in a picture; the first ones lie below the last. */
interface Curve {
  readonly pieces: Pieces;
  readonly tone: 'plain' | 'grew';
}

interface Picture {
  readonly label: string;
  readonly height: number;
  readonly curves: readonly Curve[];
  readonly measure: Measure;
  readonly period: Period;
  readonly limit: number | null;
  readonly breaches: readonly Breach[];
}

/** The width of the curves in units of their own; they are stretched to that of the page. */
const WIDTH = 1000;

function picture({ label, height, curves, measure, period, limit, breaches }: Picture): Html {
  const { field } = measure;
  const most = Math.max(
    ...curves.flatMap(({ pieces }) => pieces.flat().map((point) => point[field])),
    0,
  );
  // A limit that is far away says more in words than a flat curve below it.
  const shown = limit !== null && limit <= 2 * most ? limit : null;
  const top = Math.max(most, shown ?? 0) * 1.06 || 1;
  const marks = apart(breaches, period.untilMs - period.fromMs).map(
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
    // One look alone is as wide as can be seen.
    const line = `M${corners.map(({ x, y }) => `${x} ${y}`).join('L')}${corners.length === 1 ? 'h2' : ''}`;
    const end = corners.length === 1 ? last.x + 2 : last.x;
    return html`<path class="area" d="${line}L${end} 100L${first.x} 100Z"/><path class="line" d="${line}"/>`;
  });
  return html`<g class="${tone}">${paths}</g>`;
}

/** The first picture of the page: how much the whole project was, and what of it was the one that grew. */
export function overview(account: Account): Html {
  const { period, verdict, total, services, breaches } = account;
  const { grew } = verdict;
  if (!period || total.flat().length < 2) return html``;
  const measure = grew?.measure === 'memory' ? MEMORY : grew?.measure === 'cpu' ? CPU : PROCESSES;
  const culprit = services.find(({ name }) => name === verdict.culprit);
  const relevant = breaches.filter(
    ({ service, limit }) => service === (grew?.service ?? null) && limit === measure.limit,
  );
  const most = Math.max(...total.flat().map((point) => point[measure.field]));
  const part = culprit?.peak
    ? `, of these ${culprit.name} ${measure.show(culprit.peak[measure.field].value)}`
    : '';
  const label = `${measure.name} of the whole project from ${formatMoment(period.fromMs, period)} to ${formatMoment(period.untilMs, period)}: at most ${measure.show(most)}${part}.`;
  const legend = culprit
    ? html`<span class="key grew">${culprit.name}</span> <span class="key plain">everything else</span>`
    : html`<span class="key plain">all services</span>`;
  return html`<figure class="overview">
<figcaption><span>${measure.name} of the project, at most ${measure.show(most)}</span> ${legend}</figcaption>
${picture({
  label,
  height: 150,
  curves: [
    { pieces: total, tone: 'plain' },
    ...(culprit ? [{ pieces: culprit.timeline, tone: 'grew' as const }] : []),
  ],
  measure,
  period,
  limit: limitOf(relevant),
  breaches: relevant,
})}
${axis(period)}
</figure>`;
}

/** In the picture only where it was compared with what the picture shows: samples count shared memory twice. */
function limitOf(breaches: readonly Breach[]): number | null {
  return breaches.find(({ measuredAs }) => measuredAs !== 'pss')?.allowed ?? null;
}

/** More of them one would not walk through; the last ones are kept. */
const MOST_NEWS = 500;

/** What a reader of a timeline can stop at: where (0 to 1), and what is said there. */
export type Stop = readonly [at: number, text: string];

export interface Timeline {
  readonly content: Html;
  readonly stops: readonly Stop[];
}

/** One service: its states, its measures, and where it was restarted or went too far. */
export function timeline(service: ServiceAccount, account: Account, index: number): Timeline {
  const { name, peak, spans, restarts } = service;
  const period = account.period ?? { fromMs: 0, untilMs: 0 };
  const breaches = account.breaches.filter((breach) => breach.service === name);
  const grew = account.verdict.culprit === name;
  const rows = [PROCESSES, MEMORY, CPU].map((measure) => {
    if (!peak) return html``;
    const { value, atMs } = peak[measure.field];
    const mine = breaches.filter(({ limit }) => limit === measure.limit);
    const limit = limitOf(mine);
    const last = service.last ? `, ${measure.show(service.last[measure.field])} at the end` : '';
    const bound = limit === null ? '' : `; the limit is ${measure.show(limit)}`;
    const label = `${measure.name} of ${name}: at most ${measure.show(value)} at ${formatMoment(atMs, period)}${last}${bound}.`;
    return html`<div class="label"><span>${measure.name}</span> <b>${measure.show(value)}</b>${
      limit === null ? null : html` <small>limit ${measure.show(limit)}</small>`
    }</div>
${picture({
  label,
  height: grew ? 64 : 36,
  curves: [{ pieces: service.timeline, tone: grew ? 'grew' : 'plain' }],
  measure,
  period,
  limit,
  breaches: mine,
})}`;
  });
  const content = html`<div class="plot">
<div class="label"><span>State</span></div>
${stateBand(service, period)}
${rows}
<div class="label"></div>
${axis(period)}
<div class="over"><div class="reader" data-stops="${index}" role="slider" tabindex="0" aria-label="${`Time in the timeline of ${name}`}" aria-valuemin="0" aria-valuenow="0" hidden><div class="cursor" hidden></div></div></div>
</div>
<p class="readout" id="${`readout-${index}`}"></p>`;
  return { content, stops: stopsOf(service, breaches, restarts, spans, period) };
}

/** Shares of the width: what is narrower cannot be seen, and how wide a mark is. */
const SEEN = 0.0003;
const MARK = 0.005;
/** Of marks that would hide each other, the first. */
function apart<Item extends { readonly atMs: number }>(
  items: readonly Item[],
  lengthMs: number,
): readonly Item[] {
  let last = Number.NEGATIVE_INFINITY;
  return items.filter(({ atMs }) => {
    if (atMs - last < lengthMs * MARK) return false;
    last = atMs;
    return true;
  });
}

/** So many states are read out; a service in a crash loop has thousands. */
const MOST_TOLD = 20;

function stateBand({ name, spans, restarts }: ServiceAccount, period: Period): Html {
  const lengthMs = Math.max(1, period.untilMs - period.fromMs);
  const shown = spans.filter(
    ({ state, fromMs, untilMs }) => state !== 'idle' && untilMs - fromMs >= lengthMs * SEEN,
  );
  const bands = shown.map((span) => {
    const width = ((100 * (span.untilMs - span.fromMs)) / lengthMs).toFixed(2);
    return html`<rect class="${`state ${span.state}`}" x="${xOf(span.fromMs, period)}" width="${width}%" y="3" height="10"><title>${spanInWords(span, period)}</title></rect>`;
  });
  const marks = apart(restarts, lengthMs).map(
    ({ atMs, reason }) =>
      html`<circle class="restart" cx="${xOf(atMs, period)}" cy="8" r="4"><title>${`${formatMoment(atMs, period)} restart: ${reason}`}</title></circle>`,
  );
  const label = `States of ${name}: ${statesInWords(spans, period)}; ${counted(restarts.length, 'restart', 'restarts')}.`;
  return html`<svg class="band" width="100%" height="16" role="img" aria-label="${label}">${bands}${marks}</svg>`;
}

function statesInWords(spans: readonly Span[], period: Period): string {
  if (spans.length === 0) return 'not known';
  const told = spans
    .slice(-MOST_TOLD)
    .map(({ state, fromMs }) => `${stateName(state)} from ${formatMoment(fromMs, period)}`);
  const before = spans.length - told.length;
  return `${before > 0 ? `${before} before, then ` : ''}${told.join(', ')}`;
}

function stateName(state: Span['state']): string {
  return state === 'idle' ? 'stopped' : state;
}

function spanInWords({ state, fromMs, untilMs, reason }: Span, period: Period): string {
  const why = reason === null ? '' : `: ${reason}`;
  return `${formatMoment(fromMs, period)} ${stateName(state)} for ${formatDuration(untilMs - fromMs)}${why}`;
}

function stopsOf(
  service: ServiceAccount,
  breaches: readonly Breach[],
  restarts: ServiceAccount['restarts'],
  spans: readonly Span[],
  period: Period,
): readonly Stop[] {
  const lengthMs = Math.max(1, period.untilMs - period.fromMs);
  const stateAt = (at: number): string => {
    const span = spans.find(({ fromMs, untilMs }) => at >= fromMs && at < untilMs);
    return span ? ` ${stateName(span.state)},` : '';
  };
  const looks = service.timeline.flat().map((point) => ({
    atMs: point.atMs,
    text: `${stateAt(point.atMs)} ${counted(point.processes, 'process', 'processes')}, ${formatSize(point.memoryBytes)}, ${percent(point.cpuPercent)} cpu`,
  }));
  const news = [
    ...restarts.map(({ atMs, reason }) => ({ atMs, text: ` restart: ${reason}` })),
    ...breaches.map((breach) => ({
      atMs: breach.atMs,
      text: ` limit exceeded: ${breachInWords(breach)}`,
    })),
    ...spans.map((span) => ({
      atMs: span.fromMs,
      text: ` ${stateName(span.state)}${span.reason === null ? '' : `: ${span.reason}`}`,
    })),
  ].sort((a, b) => a.atMs - b.atMs);
  return [...looks, ...news.slice(-MOST_NEWS)]
    .filter(({ atMs }) => atMs >= period.fromMs && atMs <= period.untilMs)
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, text }) => [
      Math.round(((atMs - period.fromMs) / lengthMs) * 10_000) / 10_000,
      `${formatMoment(atMs, period)}${text}`,
    ]);
}
