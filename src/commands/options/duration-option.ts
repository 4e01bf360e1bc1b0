import { DevctlError } from '../../errors.ts';
import { parseDuration } from '../../manifest/units.ts';

/**
 * Parses the value of an option that is a duration. Only zero needs no unit, because `--timeout 60` was
 * hardly ever meant as 60 ms.
 *
 * @returns milliseconds
 * @throws DevctlError 'usage'
 */
export function durationOption(option: string, text: string): number {
  if (/^0+$/.test(text)) return 0;
  if (/^\d+(\.\d+)?$/.test(text))
    throw new DevctlError('usage', `${option} ${text}: ${text} what? ${text}s or ${text}ms`, {
      hint: `${option} ${text}s`,
    });
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new DevctlError('usage', `${option} ${text}: not a duration`, {
    hint: 'write 500ms, 3s, 2m or 4h (24 days at most)',
  });
}
