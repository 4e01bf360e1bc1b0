import { DevctlError } from '../../errors.ts';
import { lineMatches } from '../../logs/line-matches.ts';
import { parseDuration } from '../../manifest/units.ts';
import { readPattern } from '../../patterns/pattern.ts';

/** Parses `--lines`; null means all lines, or that the option is missing. */
export function linesOption(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (text === 'all') return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DevctlError('usage', `--lines ${text}: not a number of lines`, {
    hint: 'write 100 or 0, or all',
  });
}

/**
 * Parses `--since` to ms since the epoch: `10m`, `17:05`, `2026-11-23`, `2026-11-23T17:05:10Z`. A time
 * without a zone is local time.
 */
export function sinceOption(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const duration = parseDuration(text);
  if (duration !== null) return nowMs - duration;
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  if (days !== undefined) return nowMs - Number(days) * 86_400_000;
  const at = timeOfDay(text, nowMs) ?? dateAndTime(text);
  if (at !== null && !Number.isNaN(at)) return at;
  throw new DevctlError('usage', `--since ${text}: neither a duration nor a time`, {
    hint: 'write 90s, 10m, 2h or 1d, or 17:05, or 2026-11-23T17:05:10',
  });
}

/** Finds the last time that the clock showed this: at noon, 17:05 means yesterday. */
function timeOfDay(text: string, nowMs: number): number | null {
  const [, hours, minutes, seconds = '0'] = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) {
    return null;
  }
  const at = new Date(nowMs);
  at.setHours(Number(hours), Number(minutes), Number(seconds), 0);
  if (at.getTime() > nowMs) at.setDate(at.getDate() - 1);
  return at.getTime();
}

function dateAndTime(text: string): number | null {
  const shape =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;
  const [, day, time = '00:00', zone = ''] = shape.exec(text) ?? [];
  return day === undefined ? null : Date.parse(`${day}T${time}${zone}`);
}

/** The hint for a pattern that is no regular expression. One that takes too long has no hint. */
export function literally(kind: string): { readonly hint?: string } {
  const hint = 'put a backslash before what is meant literally, such as \\( or \\[';
  return kind === 'invalid' ? { hint } : {};
}

/** Creates a function that matches lines against `--grep`, with their colours and without. */
export function grepOption(
  text: string | undefined,
  ignoreCase: boolean,
): (line: string) => boolean {
  if (text === undefined) return () => true;
  const reading = readPattern(text, ignoreCase ? 'i' : '');
  if (reading.kind === 'pattern') return (line) => lineMatches(reading.pattern, line);
  throw new DevctlError('usage', `--grep ${text} ${reading.why}`, literally(reading.kind));
}
