// Draws a terminal's screen, as `tmux capture-pane -p -e` has it, as an SVG picture in which text stays text.

const COLUMN = 8.4;
const LINE = 19;
const MARGIN = 20;
const PAPER = '#14171a';
const INK = '#d9d6d0';
/** The sixteen colours of a terminal; the first eight are 30 to 37. */
const COLOURS = [
  ...['#4a5158', '#ff8379', '#74c997', '#e0b861', '#7fb2e5', '#d39ae0', '#6cc7cf', '#d9d6d0'],
  ...['#8a929b', '#ffa198', '#96e0b3', '#f0d08a', '#a5cbf2', '#e3bdec', '#96dde3', '#ffffff'],
];

/**
 * @param screen lines with SGR sequences (ECMA-48, 8.3.117)
 * @param columns width of the terminal
 * @param title text for readers who cannot see the picture
 */
export function terminalPicture(screen, columns, title) {
  const lines = screen.replace(/\s+$/, '').split('\n');
  const width = Math.ceil(columns * COLUMN + 2 * MARGIN);
  const height = lines.length * LINE + 2 * MARGIN;
  let look = plain();
  const drawn = lines.map((line, index) => {
    const { runs, last } = runsOf(line, look);
    look = last;
    return drawLine(runs, MARGIN + index * LINE);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">
<rect width="${width}" height="${height}" rx="8" fill="${PAPER}"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="${INK}" xml:space="preserve">
${drawn.filter((line) => line !== '').join('\n')}
</g>
</svg>
`;
}

function plain() {
  return { ink: null, paper: null, bold: false, dim: false, reverse: false };
}

const ESCAPE = String.fromCharCode(27);
/** Colours, and the choice of a character set, which tmux writes around lines. */
const SEQUENCE = new RegExp(`(${ESCAPE}\\[[0-9;:]*m|${ESCAPE}\\([B0])`);

/** Cuts a line into pieces of one look each, with the columns where they begin. */
function runsOf(line, before) {
  let look = before;
  let column = 0;
  const runs = [];
  for (const part of line.split(SEQUENCE)) {
    if (part.startsWith(ESCAPE)) {
      if (part.endsWith('m')) look = changed(look, part.slice(2, -1));
    } else if (part !== '') {
      // SVG draws a row of spaces as one, so the text behind it gets a place of its own.
      for (const text of part.split(/( {2,})/)) {
        if (text !== '') runs.push({ column, text, look });
        column += [...text].length;
      }
    }
  }
  return { runs, last: look };
}

function changed(before, codes) {
  let look = before;
  const list = codes === '' ? [0] : codes.split(/[;:]/).map(Number);
  for (let at = 0; at < list.length; at += 1) {
    const code = list[at];
    if (code === 0) look = plain();
    else if (code === 1) look = { ...look, bold: true };
    else if (code === 2) look = { ...look, dim: true };
    else if (code === 7) look = { ...look, reverse: true };
    else if (code === 22) look = { ...look, bold: false, dim: false };
    else if (code === 27) look = { ...look, reverse: false };
    else if (code === 39) look = { ...look, ink: null };
    else if (code === 49) look = { ...look, paper: null };
    else if (code === 38 || code === 48) {
      const colour = list[at + 1] === 5 ? fromTable(list[at + 2]) : rgb(list.slice(at + 2, at + 5));
      look = { ...look, [code === 38 ? 'ink' : 'paper']: colour };
      at += list[at + 1] === 5 ? 2 : 4;
    } else if (code >= 30 && code < 38) look = { ...look, ink: COLOURS[code - 30] };
    else if (code >= 40 && code < 48) look = { ...look, paper: COLOURS[code - 40] };
    else if (code >= 90 && code < 98) look = { ...look, ink: COLOURS[code - 82] };
    else if (code >= 100 && code < 108) look = { ...look, paper: COLOURS[code - 92] };
  }
  return look;
}

/** Finds one of 256 colours: the sixteen, a cube of six steps each, and greys. */
function fromTable(number) {
  if (number < 16) return COLOURS[number];
  if (number >= 232) return rgb(Array(3).fill(8 + 10 * (number - 232)));
  const step = (value) => (value === 0 ? 0 : 55 + 40 * value);
  const rest = number - 16;
  return rgb([Math.floor(rest / 36), Math.floor(rest / 6) % 6, rest % 6].map(step));
}

function rgb(parts) {
  return `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

function drawLine(runs, top) {
  const papers = runs.flatMap(({ column, text, look }) => {
    const paper = look.reverse ? (look.ink ?? INK) : look.paper;
    if (!paper) return [];
    const x = (MARGIN + column * COLUMN).toFixed(1);
    const width = ([...text].length * COLUMN).toFixed(1);
    return [`<rect x="${x}" y="${top}" width="${width}" height="${LINE}" fill="${paper}"/>`];
  });
  const texts = runs
    .filter(({ text }) => text.trim() !== '')
    .map(({ column, text, look }) => drawRun(column, text, look));
  if (papers.length + texts.length === 0) return '';
  const line = texts.length > 0 ? `<text y="${top + LINE - 5}">${texts.join('')}</text>` : '';
  return `${papers.join('')}${line}`;
}

function drawRun(column, text, { ink, paper, bold, dim, reverse }) {
  const lead = [...text].length - [...text.trimStart()].length;
  const shown = text.trim();
  const x = (MARGIN + (column + lead) * COLUMN).toFixed(1);
  // With any font, all columns are of one width.
  const length = ([...shown].length * COLUMN).toFixed(1);
  const fill = reverse ? (paper ?? PAPER) : ink;
  const attributes = [
    ...(fill ? [`fill="${fill}"`] : []),
    ...(bold ? ['font-weight="700"'] : []),
    ...(dim ? ['opacity="0.62"'] : []),
  ];
  const rest = attributes.length > 0 ? ` ${attributes.join(' ')}` : '';
  return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${rest}>${escaped(shown)}</tspan>`;
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
