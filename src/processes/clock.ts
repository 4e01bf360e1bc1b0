/**
 * Monotonic ms since this process began.
 *
 * `performance.now()` says the same, and its first use loads nine modules of Node: 0.8 MB that a supervisor would keep.
 */
export function monotonicMs(): number {
  return process.uptime() * 1_000;
}

const DAY_MS = 86_400_000;

/**
 * A time as `Date.prototype.toISOString` writes it: `2026-11-24T02:55:27.000Z`. That one makes ICU load its time zones,
 * though there are none in it: 0.8 MB too.
 *
 * @param epochMs a time of the years 0 to 9999
 */
export function isoTime(epochMs: number = Date.now()): string {
  const days = Math.floor(epochMs / DAY_MS);
  const ms = Math.floor(epochMs - days * DAY_MS);
  const { year, month, day } = dateOf(days);
  const date = [digits(year, 4), digits(month, 2), digits(day, 2)].join('-');
  const [hours, minutes, seconds] = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1_000) % 60].map(
    (part) => digits(Math.floor(part), 2),
  );
  return `${date}T${hours}:${minutes}:${seconds}.${digits(ms % 1_000, 3)}Z`;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

const ERA_DAYS = 146_097;
/** From 0000-03-01 to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;

/** In the Gregorian calendar. Years are reckoned from March, so that the day that comes and goes is their last. */
function dateOf(daysSinceEpoch: number): { year: number; month: number; day: number } {
  const days = daysSinceEpoch + DAYS_TO_EPOCH;
  const era = Math.floor(days / ERA_DAYS);
  const ofEra = days - era * ERA_DAYS;
  const leaps = Math.floor(ofEra / 1_460) - Math.floor(ofEra / 36_524);
  const yearOfEra = Math.floor((ofEra - leaps - Math.floor(ofEra / (ERA_DAYS - 1))) / 365);
  const dayOfYear =
    ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return { year: yearOfEra + 400 * era + (month <= 2 ? 1 : 0), month, day };
}
