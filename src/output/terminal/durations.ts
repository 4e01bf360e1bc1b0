const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Formats a time for people, in two units at most: `850 ms`, `1.2 s`, `3 min 5 s`, `2 h 4 min`, `3 d 7 h`.
 * It never rounds up into the next unit: 59.96 s is `59.9 s`.
 *
 * @param ms milliseconds; negative counts as 0 (clocks are set back)
 */
export function formatDuration(ms: number): string {
  const time = Math.max(0, ms);
  if (time < SECOND) return `${Math.floor(time)} ms`;
  if (time < MINUTE) return `${(Math.floor(time / 100) / 10).toFixed(1)} s`;
  if (time < HOUR) return twoUnits(time, MINUTE, 'min', SECOND, 's');
  if (time < DAY) return twoUnits(time, HOUR, 'h', MINUTE, 'min');
  return twoUnits(time, DAY, 'd', HOUR, 'h');
}

function twoUnits(
  time: number,
  large: number,
  largeName: string,
  small: number,
  smallName: string,
): string {
  const rest = Math.floor((time % large) / small);
  const whole = `${Math.floor(time / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}
