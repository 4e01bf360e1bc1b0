import { DevctlError } from '../errors.ts';
import { parseDuration } from '../manifest/units.ts';

/**
 * Parses the value of an option that is a duration.
 *
 * @returns milliseconds
 * @throws DevctlError 'usage'
 */
export function durationOption(option: string, text: string): number {
  const ms = parseDuration(/^\d+$/.test(text) ? Number(text) : text);
  if (ms !== null) return ms;
  throw new DevctlError('usage', `${option} ${text}: not a duration`, {
    hint: 'write 500ms, 3s, 2m or 4h (24 days at most), or a number of milliseconds',
  });
}
