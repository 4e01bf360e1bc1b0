import { displayWidth, truncate } from '../terminal/width.ts';

/** Exactly so many columns: cut, or filled with spaces. */
export function cell(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  if (columns <= 0) return '';
  const cut = truncate(text, columns);
  const padding = ' '.repeat(Math.max(0, columns - displayWidth(cut)));
  return align === 'right' ? padding + cut : cut + padding;
}

/** Two texts at both ends of a line; the left one is cut where they meet. */
export function bothEnds(left: string, right: string, columns: number): string {
  const width = displayWidth(right);
  if (width === 0 || width + MARGIN > columns) return cell(left, columns);
  return `${cell(left, columns - width - GAP)}${' '.repeat(GAP)}${right}`;
}

const GAP = 2;
/** Of the left text at least so much is to be seen beside the right one. */
const MARGIN = 12;

/** A time in 6 columns at most, whole seconds: `12s`, `3m05s`, `2h04m`, `3d07h`, `999d`. */
export function shortAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${two(seconds % 60)}s`;
  if (days === 0) return `${hours}h${two(minutes % 60)}m`;
  return days < 100 ? `${days}d${two(hours % 24)}h` : `${days}d`;
}

/** Of one core: `4.2%`, `104%`, so that it takes 5 columns at most. */
export function shortShare(percent: number): string {
  return percent < 99.95 ? `${percent.toFixed(1)}%` : `${Math.round(percent)}%`;
}
