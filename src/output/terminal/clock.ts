/** In local time: `17:05:12`. */
export function formatClock(ms: number): string {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/** In local time: `2026-11-23 17:05:12`. */
export function formatDateAndClock(ms: number): string {
  return `${formatDate(ms)} ${formatClock(ms)}`;
}

/** A moment of a period: its time, with the day where the period has more than one. */
export function formatMoment(
  ms: number,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): string {
  const isOneDay = formatDate(fromMs) === formatDate(untilMs);
  return isOneDay ? formatClock(ms) : `${formatDate(ms).slice(5)} ${formatClock(ms)}`;
}

/** In local time: `2026-11-23`. */
export function formatDate(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** How the two above are ahead of UTC at that time: `UTC`, `UTC+5:30`, `UTC-4`. */
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
