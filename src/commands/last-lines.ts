import { endOfLines, QUOTED_BYTES, QUOTED_LINES } from '../logs/quote.ts';
import { cleanLogText, finalText, printable } from '../output/terminal/width.ts';

/** The margin before each quoted line of a log. */
const MARGIN = '  | ';

/** Quotes the last lines of a log on stderr. */
export function printLastLines(lines: readonly string[], log: string, colors: boolean): void {
  if (lines.length === 0) return;
  process.stderr.write(`  the last lines of ${printable(log)}:\n`);
  // Again, because a control character becomes four.
  const shown = endOfLines(
    lines.map((line) => cleanLogText(finalText(line), colors)),
    QUOTED_BYTES - QUOTED_LINES * MARGIN.length,
  );
  for (const line of shown) process.stderr.write(`${MARGIN}${line}\n`);
}
