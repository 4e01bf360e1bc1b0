import type { Period, ServiceActivity, StateSpan } from '../../report/model.ts';
import { formatMoment } from '../terminal/clock.ts';
import { formatDuration } from '../terminal/durations.ts';
import { countInWords } from '../text/words.ts';
import { xOf } from './axis.ts';
import { type Html, html } from './html.ts';
import { withoutOverlap } from './marks.ts';

/** Smallest width of a state that can be seen, as a share of the whole width. */
const VISIBLE_SHARE = 0.0003;

/** Most states that are read out, because a service in a crash loop has thousands. */
const MOST_SPOKEN = 20;

/** Draws the states of one service, one after the other, with a mark for each restart. */
export function stateBand({ name, spans, restarts }: ServiceActivity, period: Period): Html {
  const lengthMs = Math.max(1, period.untilMs - period.fromMs);
  const shown = spans.filter(
    ({ state, fromMs, untilMs }) =>
      state !== 'idle' && untilMs - fromMs >= lengthMs * VISIBLE_SHARE,
  );
  const bands = shown.map((span) => {
    const width = ((100 * (span.untilMs - span.fromMs)) / lengthMs).toFixed(2);
    return html`<rect class="${`state ${span.state}`}" x="${xOf(span.fromMs, period)}" width="${width}%" y="3" height="10"><title>${spanInWords(span, period)}</title></rect>`;
  });
  const marks = withoutOverlap(restarts, lengthMs).map(
    ({ atMs, reason }) =>
      html`<circle class="restart" cx="${xOf(atMs, period)}" cy="8" r="4"><title>${`${formatMoment(atMs, period)} restart: ${reason}`}</title></circle>`,
  );
  const label = `States of ${name}: ${statesInWords(spans, period)}; ${countInWords(restarts.length, 'restart', 'restarts')}.`;
  return html`<svg class="band" width="100%" height="16" role="img" aria-label="${label}">${bands}${marks}</svg>`;
}

function statesInWords(spans: readonly StateSpan[], period: Period): string {
  if (spans.length === 0) return 'not known';
  const spoken = spans
    .slice(-MOST_SPOKEN)
    .map(({ state, fromMs }) => `${stateName(state)} from ${formatMoment(fromMs, period)}`);
  const before = spans.length - spoken.length;
  return `${before > 0 ? `${before} before, then ` : ''}${spoken.join(', ')}`;
}

/** Names a state as the page does. */
export function stateName(state: StateSpan['state']): string {
  return state === 'idle' ? 'stopped' : state;
}

function spanInWords({ state, fromMs, untilMs, reason }: StateSpan, period: Period): string {
  const why = reason === null ? '' : `: ${reason}`;
  return `${formatMoment(fromMs, period)} ${stateName(state)} for ${formatDuration(untilMs - fromMs)}${why}`;
}
