import type { ActivityReport, ServiceActivity } from '../../report/model.ts';
import { formatMoment } from '../terminal/clock.ts';
import { axis } from './axis.ts';
import { type Html, html } from './html.ts';
import { CPU, limitOf, MEMORY, PROCESSES, picture } from './picture.ts';
import { stateBand } from './state-band.ts';
import { type SliderStop, sliderStops } from './timeline-stops.ts';

/** Draws the first picture of the page: the usage of the whole project, and the part of the service that grew. */
export function overview(report: ActivityReport): Html {
  const { period, verdict, total, services, breaches } = report;
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

export interface Timeline {
  readonly content: Html;
  readonly stops: readonly SliderStop[];
}

/** Draws one service: its states, its measures, its restarts and its breaches. */
export function timeline(
  service: ServiceActivity,
  report: ActivityReport,
  index: number,
): Timeline {
  const { name, peak, spans, restarts } = service;
  const period = report.period ?? { fromMs: 0, untilMs: 0 };
  const breaches = report.breaches.filter((breach) => breach.service === name);
  const grew = report.verdict.culprit === name;
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
  return { content, stops: sliderStops(service, breaches, restarts, spans, period) };
}
