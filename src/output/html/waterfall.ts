import type { StartActivity, StartRow, StateSpan } from '../../report/model.ts';
import { formatDuration } from '../terminal/durations.ts';
import { countInWords } from '../text/words.ts';
import { xOf } from './axis.ts';
import { type Html, html } from './html.ts';

const ROW = 40;
const BAR = 10;
/** Most characters of a name, so that on a phone the outcome fits beside it. */
const MOST_CHARACTERS = 28;

/** Draws the last start, service by service: which service waited for which, and for how long. */
export function waterfall(start: StartActivity): Html {
  const { rows } = start;
  const height = rows.length * ROW + 4;
  const drawn = rows.map((row, index) => {
    const y = index * ROW;
    return html`<g><text class="name" x="0" y="${y + 15}">${shortened(row.name)}</text><text class="outcome" x="100%" y="${y + 15}" text-anchor="end">${outcome(row)}</text>
<line class="rail" x1="0" x2="100%" y1="${y + 27}" y2="${y + 27}"/>${row.spans.map((span) => bar(span, start, y + 22))}</g>`;
  });
  const up = rows.filter(({ readyMs }) => readyMs !== null).length;
  const label = `The last start: ${up} of ${countInWords(rows.length, 'service', 'services')} up after ${formatDuration(start.untilMs - start.fromMs)}. The table below has the numbers.`;
  return html`<figure>
<svg class="waterfall" width="100%" height="${height}" role="img" aria-label="${label}">${drawn}${links(start)}</svg>
<figcaption class="legend">${legend(start)}</figcaption>
</figure>
${table(rows, start)}`;
}

/** Explains the colours and marks that this picture uses. */
function legend({ rows }: StartActivity): readonly Html[] {
  const states = new Set(rows.flatMap(({ spans }) => spans.map(({ state }) => state)));
  const keys: readonly (readonly [key: string, text: string, isThere: boolean])[] = [
    ['waiting', 'waiting', states.has('waiting')],
    ['starting', 'started, not ready yet', states.has('starting') || states.has('spawning')],
    ['backoff', 'before the next attempt', states.has('backoff') || states.has('clearing')],
    ['link', 'waits for the service above', rows.some(({ dependsOn }) => dependsOn.length > 0)],
  ];
  return keys
    .filter(([, , isThere]) => isThere)
    .map(([key, text]) => html`<span class="${`key ${key}`}">${text}</span>`);
}

function bar({ state, fromMs, untilMs, reason }: StateSpan, start: StartActivity, y: number): Html {
  const lengthMs = Math.max(1, start.untilMs - start.fromMs);
  const width = Math.max(0.3, (100 * (untilMs - fromMs)) / lengthMs).toFixed(2);
  const text = `${state} for ${formatDuration(untilMs - fromMs)}${reason === null ? '' : `: ${reason}`}`;
  return html`<rect class="${`state ${state}`}" x="${xOf(fromMs, start)}" width="${width}%" y="${y}" height="${BAR}" rx="2"><title>${text}</title></rect>`;
}

/** Draws a line from the time a service was up to the time a service that had waited for it was spawned. */
function links(start: StartActivity): readonly Html[] {
  const { rows, fromMs } = start;
  return rows.flatMap((row, index) => {
    const begun = row.spans.find(({ state }) => state === 'spawning');
    if (!begun) return [];
    const x = xOf(begun.fromMs, start);
    return row.dependsOn.flatMap((name) => {
      const above = rows.findIndex((one) => one.name === name);
      const needed = rows[above];
      if (!needed || needed.readyMs === null || fromMs + needed.readyMs > begun.fromMs) return [];
      const end = xOf(fromMs + needed.readyMs, start);
      const fromY = above * ROW + 27;
      const toY = index * ROW + 27;
      return [
        html`<g class="link"><line x1="${end}" x2="${x}" y1="${fromY}" y2="${fromY}"/><line x1="${x}" x2="${x}" y1="${fromY}" y2="${toY}"/><circle cx="${end}" cy="${fromY}" r="2.5"/></g>`,
      ];
    });
  });
}

function outcome({ outcome: state, readyMs }: StartRow): string {
  if (readyMs === null) return state ?? 'on its way';
  return `${state === 'exited' ? 'done' : (state ?? '')} after ${formatDuration(readyMs)}`;
}

function table(rows: readonly StartRow[], { fromMs }: StartActivity): Html {
  const lines = rows.map((row) => {
    const total = (state: StateSpan['state']): number =>
      row.spans
        .filter((span) => span.state === state)
        .reduce((sum, span) => sum + span.untilMs - span.fromMs, 0);
    const spawned = row.spans.find(({ state }) => state === 'spawning');
    return html`<tr><th scope="row">${row.name}</th><td>${row.dependsOn.join(', ') || '–'}</td><td class="number">${formatDuration(total('waiting'))}</td><td class="number">${spawned ? formatDuration(spawned.fromMs - fromMs) : '–'}</td><td class="number">${row.readyMs === null ? '–' : formatDuration(row.readyMs)}</td><td>${row.outcome ?? 'on its way'}${row.reason === null ? null : html`: ${row.reason}`}</td></tr>`;
  });
  return html`<details><summary>The start in numbers</summary>
<div class="scroll" role="region" aria-label="The start in numbers" tabindex="0"><table><thead><tr><th scope="col">Service</th><th scope="col">Needs</th><th scope="col" class="number">Waited</th><th scope="col" class="number">Spawned after</th><th scope="col" class="number">Up after</th><th scope="col">Then</th></tr></thead><tbody>${lines}</tbody></table></div></details>`;
}

function shortened(name: string): string {
  return name.length > MOST_CHARACTERS ? `${name.slice(0, MOST_CHARACTERS - 1)}…` : name;
}
