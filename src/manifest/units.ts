const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};

export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
export const SIZE = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|TB)$/;

/** Longest duration in ms, because a Node timer of more than 31 bits fires at once. */
export const LONGEST_DURATION_MS = 24 * 24 * 3_600_000;

/** Parses "500ms", "3s", "2m", "1h" or a number of ms to whole ms; null for anything else. */
export function parseDuration(value: string | number): number | null {
  const ms = typeof value === 'number' ? value : toBaseUnit(DURATION.exec(value), MS_PER_UNIT);
  return ms !== null && ms >= 0 && ms <= LONGEST_DURATION_MS ? Math.round(ms) : null;
}

/** Parses "512MB", "2GB" (units of 1024) or a number of bytes to whole bytes; null for anything else. */
export function parseSize(value: string | number): number | null {
  const bytes = typeof value === 'number' ? value : toBaseUnit(SIZE.exec(value), BYTES_PER_UNIT);
  return bytes !== null && bytes >= 0 && bytes <= Number.MAX_SAFE_INTEGER
    ? Math.round(bytes)
    : null;
}

/** Formats a duration as a manifest has it: "480ms", "1.5s", "10m", "2h". */
export function durationInWords(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  if (ms >= 1_000) return `${Math.round(ms / 100) / 10}s`;
  return `${ms}ms`;
}

/** Formats a time of the manifest in a sentence: "480 ms", "1.5 s", "90 s", "10 min", "2 h". */
export function timeInWords(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1_000 ? `${Math.round(ms / 100) / 10} s` : `${ms} ms`;
}

function toBaseUnit(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>,
): number | null {
  const unit = units[match?.[2] ?? ''];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

const SIZE_UNITS = ['TB', 'GB', 'MB', 'KB'] as const;

/** Formats a size in units of 1024: "1.2 GB", "512 MB". */
export function sizeInWords(bytes: number): string {
  const unit = SIZE_UNITS.find((one) => bytes >= (BYTES_PER_UNIT[one] ?? 1)) ?? 'B';
  const value = bytes / (BYTES_PER_UNIT[unit] ?? 1);
  return `${value < 100 ? Math.round(value * 10) / 10 : Math.round(value)} ${unit}`;
}
