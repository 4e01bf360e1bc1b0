import { displayWidth } from '../terminal/width.ts';

/** DEC private mode 2026: the terminal shows nothing until the end. A terminal without this mode ignores it. */
const BEGIN = '\u001B[?2026h';
const END = '\u001B[?2026l';

/**
 * Builds the text that turns one frame on a terminal into another: the lines that differ, each in its
 * place.
 *
 * @param before null: the content of the terminal is unknown
 * @returns empty when nothing differs
 */
export function repaint(
  before: readonly string[] | null,
  after: readonly string[],
  columns: number,
): string {
  const changed = after.flatMap((line, row) => {
    if (before && before[row] === line) return [];
    // After a line of full width the cursor stands on its last character, and clearing from there would
    // remove it.
    const rest = displayWidth(line) < columns ? '\u001B[K' : '';
    return [`\u001B[${row + 1};1H${line}\u001B[0m${rest}`];
  });
  if (changed.length === 0 && before) return '';
  const clear = before ? '' : '\u001B[0m\u001B[2J';
  return `${BEGIN}${clear}${changed.join('')}${END}`;
}
