/*
 * The files of this folder: the page of `devctl report --html`.
 *
 *   page             the page: answers, sections, footer, and its policy (CSP)
 *   html             builds HTML from templates, and escapes every value
 *   timeline-charts  the overview, and the charts of each service
 *   picture          one chart: curves, limit and marks
 *   axis             the labels of time, and the grid
 *   state-band       the states of a service as a band
 *   timeline-stops   the texts that the slider over a timeline shows
 *   waterfall        the last start as a waterfall
 *   last-stop        the last stop, its proof and its processes
 *   marks            drops marks that would hide each other
 *   script           the program of the page
 *   style            the styles of the page
 */

import { createHash } from 'node:crypto';
import { DEVCTL } from '../../own-command.ts';
import type { ActivityReport } from '../../report/model.ts';
import { formatDateAndClock, formatMoment, formatZone } from '../terminal/clock.ts';
import { formatDuration } from '../terminal/durations.ts';
import {
  ACTION_TAKEN,
  branchSize,
  countInWords,
  formatMeasure,
  formatMeasureShort,
  formatPeriod,
  growthTime,
  headline,
  leftInWords,
  stateInWords,
} from '../text/words.ts';
import { dataForScript, type Html, html, raw } from './html.ts';
import { lastStop } from './last-stop.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';
import { overview, timeline } from './timeline-charts.ts';
import { waterfall } from './waterfall.ts';

/**
 * Builds the report as one HTML page. The page is complete in itself: it loads nothing, and its policy
 * (CSP) forbids it to. Text from outside stays text.
 */
export function reportPage(report: ActivityReport): string {
  const timelines = report.services.map((service, index) => timeline(service, report, index));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${headline(report)} – devctl report of ${report.name}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
${opening(report)}
${
  timelines.length > 0
    ? timelineSection(
        report,
        timelines.map(({ content }) => content),
      )
    : null
}
${report.breaches.length > 0 ? breachSection(report) : null}
${restartSection(report)}
${report.lastStart ? html`<section aria-labelledby="start"><h2 id="start">The last start</h2><p>${formatDateAndClock(report.lastStart.fromMs)}, ${formatDuration(report.lastStart.untilMs - report.lastStart.fromMs)} long.</p>${waterfall(report.lastStart)}</section>` : null}
<section aria-labelledby="stop"><h2 id="stop">The last stop</h2>${report.lastStop ? lastStop(report.lastStop) : html`<p>No report of a stop is kept.</p>`}</section>
${report.problems.length > 0 ? html`<section aria-labelledby="problems"><h2 id="problems">What could not be read</h2><ul class="notes">${report.problems.map((problem) => html`<li>${problem}</li>`)}</ul></section>` : null}
${footer(report)}
</main>
${hatch()}
${dataForScript(
  'stops',
  timelines.map(({ stops }) => stops),
)}
<script>${raw(SCRIPT)}</script>
</body>
</html>
`;
  return page.html;
}

function policy(): string {
  const hashed = (text: string): string =>
    `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return `default-src 'none'; style-src ${hashed(STYLE)}; script-src ${hashed(SCRIPT)}; base-uri 'none'; form-action 'none'`;
}

/** The space between a number and its unit, which belong on one line. */
const UNIT = /(?<=\d) (?=[KMGT]?B\b|process|min\b|h\b|s\b)/g;

/** Opens the page with the answers: what grew, when, because of what, and whether anything is left now. */
function opening(report: ActivityReport): Html {
  const { period, name } = report;
  const { grew } = report.verdict;
  const left = leftInWords(report);
  const { at, since } = growthTime(report);
  const because = grew?.because
    ? html`<dd><code>${grew.because.command}</code><small>${branchSize(grew.because, grew.service)}</small></dd>`
    : html`<dd>Not known<small>nobody saw which part of it grew</small></dd>`;
  return html`<header>
<p class="eyebrow"><b>${name}</b> · devctl report${period ? ` · ${formatPeriod(period.fromMs, period.untilMs)}` : null}</p>
<h1>${headline(report).replace(UNIT, '\u00A0')}</h1>
<dl class="answers">
${period ? html`<div><dt>${grew ? 'When' : 'From'}</dt><dd>${at}${since ? html`<small>${since}</small>` : null}</dd></div>` : null}
${grew ? html`<div class="because"><dt>Because of</dt>${because}</div>` : null}
<div><dt>Left now</dt><dd class="${left.tone}">${left.short}<small>${left.detail}</small></dd></div>
</dl>
${overview(report)}
</header>`;
}

function timelineSection(report: ActivityReport, contents: readonly Html[]): Html {
  const services = report.services.map((service, index) => {
    const { name, state, upMs, restarts } = service;
    const parts = [
      stateInWords(service, report),
      ...(state === null ? [] : [`up ${formatDuration(upMs)}`]),
      ...(restarts.length > 0 ? [countInWords(restarts.length, 'restart', 'restarts')] : []),
      ...(service.peak ? [] : ['no samples']),
    ];
    return html`<article class="service"><h3>${name}</h3><p class="about">${parts.join(', ')}</p>${contents[index] ?? null}</article>`;
  });
  return html`<section aria-labelledby="timelines"><h2 id="timelines">Service by service</h2>
<p class="legend">${legend(report)}</p>
${services}</section>`;
}

/** Explains the colours and marks that this page uses. */
function legend({ services, breaches }: ActivityReport): readonly Html[] {
  const states = new Set(services.flatMap(({ spans }) => spans.map(({ state }) => state)));
  const keys: readonly (readonly [key: string, text: string, isThere: boolean])[] = [
    ['ready', 'up', states.has('ready') || states.has('running')],
    ['starting', 'starting', states.has('starting') || states.has('spawning')],
    ['waiting', 'waiting', states.has('waiting')],
    ['backoff', 'before a restart', states.has('backoff') || states.has('clearing')],
    ['failed', 'failed or unhealthy', states.has('failed') || states.has('unhealthy')],
    ['exited', 'ended or stopping', states.has('exited') || states.has('stopping')],
    ['restart', 'restart', services.some(({ restarts }) => restarts.length > 0)],
    ['breach', 'limit exceeded', breaches.some(({ service }) => service !== null)],
  ];
  return keys
    .filter(([, , isThere]) => isThere)
    .map(([key, text]) => html`<span class="${`key ${key}`}">${text}</span>`);
}

/** Most entries of a list; the last ones are shown. */
const MOST_LISTED = 100;

function earlierOnes(all: number): Html | null {
  const more = all - MOST_LISTED;
  return more > 0 ? html`<p>${`${more} earlier ones are in ${DEVCTL} report --json.`}</p>` : null;
}

function breachSection({ breaches, period }: ActivityReport): Html {
  const items = breaches
    .slice(-MOST_LISTED)
    .map(
      ({ atMs, service, limit, value, allowed, action, branch }) =>
        html`<li><time class="time" datetime="${new Date(atMs).toISOString()}">${period ? formatMoment(atMs, period) : null}</time><div><p><b>${service ?? 'The whole project'}</b>: ${formatMeasure(limit, value)}, allowed ${formatMeasureShort(limit, allowed)}; ${ACTION_TAKEN[action]}</p>${branch ? html`<p class="because">What grew: <code>${branch.command}</code> (${branchSize(branch, service)})</p>` : null}</div></li>`,
    );
  return html`<section aria-labelledby="breaches"><h2 id="breaches">Limits exceeded</h2><ul class="breaches">${items}</ul>${earlierOnes(breaches.length)}</section>`;
}

function restartSection({ services, period }: ActivityReport): Html {
  if (!period) return html``;
  const all = services
    .flatMap(({ name, restarts }) => restarts.map((restart) => ({ name, ...restart })))
    .sort((a, b) => a.atMs - b.atMs);
  const rows = all
    .slice(-MOST_LISTED)
    .map(
      ({ name, atMs, reason, againMs }) =>
        html`<tr><td class="time">${formatMoment(atMs, period)}</td><th scope="row">${name}</th><td>${reason}</td><td class="number">${againMs === null ? 'never' : formatDuration(againMs - atMs)}</td></tr>`,
    );
  if (rows.length === 0) return html``;
  return html`<section aria-labelledby="restarts"><h2 id="restarts">Restarts</h2><div class="scroll" role="region" aria-label="Restarts" tabindex="0"><table><thead><tr><th scope="col">At</th><th scope="col">Service</th><th scope="col">Because</th><th scope="col" class="number">Again after</th></tr></thead><tbody>${rows}</tbody></table></div>${earlierOnes(all.length)}</section>`;
}

function footer({ atMs, earlier, moments, period }: ActivityReport): Html {
  const before = earlier
    ? html`<p>There is history since ${formatDateAndClock(earlier.fromMs)}${earlier.breaches > 0 ? `, with ${countInWords(earlier.breaches, 'limit breach', 'limit breaches')}` : null}: <code>${DEVCTL} report --since</code> tells it as well.</p>`
    : null;
  const momentsInWords = moments
    .slice(-MOST_LISTED)
    .map(({ atMs: at, what }) => `${period ? formatMoment(at, period) : ''} ${what}`)
    .join(', ');
  return html`<footer><p>Told at ${formatDateAndClock(atMs)} (${formatZone(atMs)}) from the samples that the supervisor kept, and one look at the process table. Where a curve has a gap, nothing of the service was alive, or nobody looked.${momentsInWords ? ` ${momentsInWords}.` : null}</p>${before}</footer>`;
}

/** Defines stripes for a service that waits for its restart, so that colour is not the only sign. */
function hatch(): Html {
  return html`<svg width="0" height="0" aria-hidden="true" focusable="false"><defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V5"/></pattern></defs></svg>`;
}
