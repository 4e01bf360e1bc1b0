import type { Period } from '../../report/model.ts';
import { formatClock, formatDate } from '../terminal/clock.ts';
import { type Html, html } from './html.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Distances between labels, in ms: round numbers of seconds, minutes, hours and days. */
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30].map((count) => count * DAY),
];

/** Most labels, because more would touch each other on a phone. */
const MOST_TICKS = 5;

export interface Tick {
  readonly x: string;
  readonly label: string;
}

/** Calculates the place of a time in a picture of a period, in percent of its width. */
export function xOf(atMs: number, { fromMs, untilMs }: Period): string {
  const share = untilMs > fromMs ? (atMs - fromMs) / (untilMs - fromMs) : 0;
  return `${(100 * Math.min(1, Math.max(0, share))).toFixed(2)}%`;
}

/** Finds round times of the day (in local time) within a period; none when the period has no length. */
function ticksOf(period: Period): readonly Tick[] {
  const { fromMs, untilMs } = period;
  const step = STEPS.find((one) => (untilMs - fromMs) / one <= MOST_TICKS);
  if (step === undefined || untilMs <= fromMs) return [];
  const zoneMs = new Date(fromMs).getTimezoneOffset() * MINUTE;
  const first = Math.ceil((fromMs - zoneMs) / step) * step + zoneMs;
  const ticks: Tick[] = [];
  for (let atMs = first; atMs <= untilMs; atMs += step) {
    ticks.push({ x: xOf(atMs, period), label: labelOf(atMs, step) });
  }
  return ticks;
}

function labelOf(atMs: number, step: number): string {
  if (step >= DAY) return formatDate(atMs).slice(5);
  return step >= MINUTE ? formatClock(atMs).slice(0, 5) : formatClock(atMs);
}

/** Draws the times below a picture. Screen readers skip it, because the text has every number. */
export function axis(period: Period): Html {
  const labels = ticksOf(period).map(({ x, label }) => {
    const share = Number.parseFloat(x);
    const anchor = share < 6 ? 'start' : share > 94 ? 'end' : 'middle';
    return html`<text x="${x}" y="12" text-anchor="${anchor}">${label}</text>`;
  });
  return html`<svg class="axis" width="100%" height="16" aria-hidden="true">${labels}</svg>`;
}

export function gridLines(period: Period): readonly Html[] {
  return ticksOf(period).map(
    ({ x }) => html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="100%"/>`,
  );
}
