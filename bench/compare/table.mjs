// Draws a table for a terminal or for a page.

/**
 * @param rows cells as text, the first row the heading
 * @param isMarkdown true: for a page, else for a terminal
 */
export function drawTable(rows, isMarkdown) {
  if (isMarkdown) {
    const line = (cells) => `| ${cells.join(' | ')} |`;
    const [heading, ...others] = rows;
    const rule = heading.map((_, index) => (index === 0 ? '---' : '--:'));
    return [heading, rule, ...others].map(line).join('\n');
  }
  const widths = rows[0].map((_, index) => Math.max(...rows.map((cells) => cells[index].length)));
  const pad = (cell, index) =>
    index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index]);
  return rows.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n');
}

/** Milliseconds, and how many starts of bare Node that is. */
export function timeCell(ms, bareMs) {
  if (ms === null) return '–';
  return `${Math.round(ms)} (${(ms / bareMs).toFixed(1)})`;
}

export function numberCell(value, digits = 1) {
  return value === null ? '–' : value.toFixed(digits);
}
