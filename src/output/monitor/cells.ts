import { displayWidth, truncate } from '../terminal/width.ts';

/** Cuts or fills a text to exactly `columns` columns. */
export function cell(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  if (columns <= 0) return '';
  const cut = truncate(text, columns);
  const padding = ' '.repeat(Math.max(0, columns - displayWidth(cut)));
  return align === 'right' ? padding + cut : cut + padding;
}

/** Puts two texts at both ends of a line. The left text is cut where they meet. */
export function bothEnds(left: string, right: string, columns: number): string {
  const width = displayWidth(right);
  if (width === 0 || width + MARGIN > columns) return cell(left, columns);
  return `${cell(left, columns - width - GAP)}${' '.repeat(GAP)}${right}`;
}

const GAP = 2;
/** Columns of the left text that must be visible beside the right text. */
const MARGIN = 12;

/** Formats a time in 6 columns at most, in whole seconds: `12s`, `3m05s`, `2h04m`, `3d07h`, `999d`. */
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

/** Formats a share of one core in 5 columns at most: `4.2%`, `104%`. */
export function shortShare(percent: number): string {
  return percent < 99.95 ? `${percent.toFixed(1)}%` : `${Math.round(percent)}%`;
}
