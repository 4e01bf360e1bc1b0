/** Formats the time of day, in local time: `17:05:12`. */
export function formatClock(ms: number): string {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/** Formats date and time, in local time: `2026-11-23 17:05:12`. */
export function formatDateAndClock(ms: number): string {
  return `${formatDate(ms)} ${formatClock(ms)}`;
}

/** Formats a time within a period. The day is left out when the period is within one day. */
export function formatMoment(
  ms: number,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): string {
  const isOneDay = formatDate(fromMs) === formatDate(untilMs);
  return isOneDay ? formatClock(ms) : `${formatDate(ms).slice(5)} ${formatClock(ms)}`;
}

/** Formats the date, in local time: `2026-11-23`. */
export function formatDate(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Formats the offset of local time from UTC at a time: `UTC`, `UTC+5:30`, `UTC-4`. */
export function formatZone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const rest = Math.abs(minutes) % 60;
  const hours = Math.floor(Math.abs(minutes) / 60);
  return `UTC${minutes < 0 ? '-' : '+'}${hours}${rest === 0 ? '' : `:${two(rest)}`}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
