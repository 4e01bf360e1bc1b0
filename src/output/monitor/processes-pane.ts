import { formatSize } from '../terminal/sizes.ts';
import type { Theme } from '../terminal/theme.ts';
import { displayWidth, printable } from '../terminal/width.ts';
import { cell, shortAge, shortShare } from './cells.ts';
import { complaint, type Model, type ProcessRow, processRows } from './model.ts';
import { visibleRows } from './pane.ts';

const GAP = 2;
interface Figure {
  readonly title: 'PID' | 'CPU' | 'MEMORY' | 'AGE';
  readonly width: number;
  /** When there is too little room, the figure with the lowest priority goes first. */
  readonly priority: number;
}

function figuresOf(rows: readonly ProcessRow[]): readonly Figure[] {
  const pids = rows.map(({ member }) => String(member.pid).length);
  return [
    { title: 'PID', width: Math.max(5, ...pids), priority: 3 },
    { title: 'CPU', width: 6, priority: 4 },
    { title: 'MEMORY', width: 9, priority: 5 },
    { title: 'AGE', width: 6, priority: 2 },
  ];
}

/** Columns of the command that must be visible before a figure is shown. */
const NARROWEST_COMMAND = 16;
/** Columns of the command that must be visible before the evidence is shown. */
const READABLE_COMMAND = 40;
const MOST_EXPLAINED = 12;
const BECAUSE = { least: 8, most: 60 };

/** Draws the processes of the chosen service as a tree, and why each is ours. */
export function processesPane(
  model: Model,
  theme: Theme,
  width: number,
  height: number,
): readonly string[] {
  const rows = processRows(model);
  const isHere = model.pane === 'processes';
  const { figures, command, because } = fitColumns(rows, width);
  const line = (marker: string, first: string, cells: readonly string[], why: string): string => {
    const figuresShown = figures.map(({ width: own }, index) =>
      cell(cells[index] ?? '', own, 'right'),
    );
    const last = because > 0 ? [cell(why, because)] : [];
    return cell(
      `${marker} ${[cell(first, command), ...figuresShown, ...last].join(' '.repeat(GAP))}`,
      width,
    );
  };
  const of = model.chosen === null ? '' : ` of ${printable(model.chosen)}`;
  const titles = figures.map(({ title }) => title);
  const title = theme.dim(line(isHere ? '·' : ' ', `PROCESS${of}`, titles, 'OURS BECAUSE'));
  const at = rows.findIndex(({ member }) => member.pid === model.process);
  const chosen = rows[at];
  const reason = complaint(model);
  const complaints =
    reason === null ? [] : [cell(`  ${theme.yellow('!')} ${printable(reason)}`, width)];
  const room = height - 1 - complaints.length;
  // The selected process gets its evidence in full.
  const spare = Math.min(MOST_EXPLAINED, Math.max(1, room - rows.length));
  const explained =
    isHere && chosen && room >= 3 ? evidenceLines(chosen, width - GAP).slice(0, spare) : [];
  const shown = visibleRows(rows, at, room - explained.length).map((row) => {
    const { member } = row;
    const values = figures.map(({ title: which }) => {
      if (which === 'PID') return String(member.pid);
      if (which === 'CPU') return shortShare(model.seen?.cpuByPid.get(member.pid) ?? 0);
      return which === 'MEMORY' ? formatSize(member.rssBytes) : shortAge(member.ageMs);
    });
    const marker = isHere && row === chosen ? theme.cyan('▸') : ' ';
    return line(marker, processLabel(row, theme), values, evidenceKinds(row));
  });
  if (rows.length === 0) shown.push(cell(theme.dim('  no process'), width));
  const gap = shown.length + explained.length < room ? [''] : [];
  const why = explained.map((text) => cell(theme.dim(`  ${text}`), width));
  return [title, ...complaints, ...shown, ...(why.length > 0 ? gap : []), ...why].slice(0, height);
}

function processLabel({ member, stem }: ProcessRow, theme: Theme): string {
  const marks = [
    ...(member.orphan ? ['orphan'] : []),
    ...(member.state === 'T' ? ['stopped'] : []),
  ];
  const marked = marks.length > 0 ? `${theme.red(`(${marks.join(', ')})`)} ` : '';
  return `${theme.dim(stem)}${marked}${printable(member.command)}`;
}

function evidenceKinds({ member }: ProcessRow): string {
  return [...new Set(member.evidence.map(({ kind }) => kind))].join(' ');
}

/** Lists all evidence for a process in full, wrapped to lines. */
function evidenceLines({ member }: ProcessRow, width: number): readonly string[] {
  const reasons = member.evidence.map(({ kind, detail }) => `${kind} (${printable(detail)})`);
  const lines: string[] = [];
  let line = `${member.pid}:`;
  for (const [index, reason] of reasons.entries()) {
    const next = index < reasons.length - 1 ? `${reason},` : reason;
    if (displayWidth(line) + 1 + displayWidth(next) > width && line !== '') {
      lines.push(line);
      line = '';
    }
    line = line === '' ? next : `${line} ${next}`;
  }
  return [...lines, line];
}

/** Fits the columns to the width. The command gets the rest, and shares it with the evidence. */
function fitColumns(rows: readonly ProcessRow[], width: number) {
  let figures = figuresOf(rows);
  const room = (): number =>
    width - GAP - figures.reduce((sum, figure) => sum + figure.width + GAP, 0);
  while (figures.length > 0 && room() < NARROWEST_COMMAND) {
    const least = figures.reduce((worst, one) => (one.priority < worst.priority ? one : worst));
    figures = figures.filter((figure) => figure !== least);
  }
  const longest = rows.reduce(
    (most, row) => Math.max(most, evidenceKinds(row).length),
    BECAUSE.least,
  );
  const share = Math.min(longest, BECAUSE.most, Math.floor(room() * 0.4));
  // The command is what is read; the selected process has its evidence below in any case.
  const hasRoom = share >= BECAUSE.least && room() - share - GAP >= READABLE_COMMAND;
  const because = hasRoom ? share : 0;
  const command = Math.max(0, because > 0 ? room() - because - GAP : room());
  return { figures, command, because };
}
