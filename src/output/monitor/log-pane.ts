import type { Theme } from '../terminal/theme.ts';
import { cleanLogText, printable } from '../terminal/width.ts';
import { bothEnds, cell } from './cells.ts';
import { linesBelow, linesShown, matchAt, matchesLine, TAB } from './log-view.ts';
import type { LogEntry, Model } from './model.ts';

/** Draws the log of the chosen service. */
export function logPane(
  model: Model,
  theme: Theme,
  width: number,
  height: number,
): readonly string[] {
  const { log, chosen, pane, search } = model;
  const of = chosen === null ? '' : ` of ${printable(chosen)}`;
  const left = `${pane === 'log' ? '·' : ' '} LOG${of}`;
  const title = theme.dim(
    bothEnds(left, positionInWords(model) || linksOf(model, width - left.length, theme), width),
  );
  const shown = linesShown(log, height - 1).map((line) => {
    const isFound = line.number === log.found && search !== '';
    const marker = isFound ? theme.cyan('▸') : ' ';
    return cell(`${marker} ${textOf(line, search, theme)}`, width);
  });
  if (log.lines.length === 0) shown.push(cell(theme.dim('  nothing yet'), width));
  return [title, ...shown].slice(0, height);
}

/** Lists the URLs of the chosen service, as far as there is room for them: a link must not be cut. */
function linksOf({ seen, chosen }: Model, width: number, theme: Theme): string {
  const urls = seen?.status.services.find(({ name }) => name === chosen)?.urls ?? [];
  let room = width - 1;
  const fitting = urls.filter((url) => {
    room -= url.length + 1;
    return room > 0;
  });
  return fitting.map(theme.link).join(' ');
}

/** Describes the position in the log: the newer lines below, and the matches of the search. */
function positionInWords({ log, search }: Model): string {
  const below = linesBelow(log);
  const place = below > 0 ? `${below} more below` : '';
  if (search === '') return place;
  const matches = log.lines.filter((line) => matchesLine(line, search)).length;
  const count = `${matches === 0 ? 'no' : matches} match${matches === 1 ? '' : 'es'}`;
  return place === '' ? count : `${count}, ${place}`;
}

/** Formats a line with its own colours, or with its match in reverse and no other colour. */
function textOf({ text, plain }: LogEntry, search: string, theme: Theme): string {
  const at = matchAt(plain, search);
  if (at < 0) return cleanLogText(text, theme.enabled).replaceAll('\t', TAB);
  const end = at + search.length;
  return plain.slice(0, at) + theme.reverse(plain.slice(at, end)) + plain.slice(end);
}
