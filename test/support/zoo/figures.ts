import type { Behaviour } from './behaviours.ts';
import { isHeld, type Mode, meansOf, nameOf } from './modes.ts';
import { faultsOf, type Visit } from './visit.ts';

/** One line: a mode, and what it came to. */
export function describeVisit(seen: Visit, tookMs: number): string {
  const { mode, report, left, strangers, deadStrangers } = seen;
  const mark = faultsOf(seen).length === 0 ? '✓' : '✗';
  const alive = [...left.values()].reduce((sum, list) => sum + list.length, 0);
  const proof = report
    ? `${report.proof.strength}${report.proof.why ? ` (${report.proof.why})` : ''}`
    : 'no report';
  const facts = [
    `${mark} ${nameOf(mode)}`.padEnd(40),
    `${alive} of ${seen.before} left`.padEnd(16),
    `strangers ${strangers - deadStrangers.length}/${strangers}`,
    `exit ${seen.exitCode}`,
    `stop ${report?.tookMs ?? '?'} ms of ${tookMs}`,
    proof,
  ];
  const names = left.size > 0 ? `\n    left: ${[...left.keys()].sort().join(' ')}` : '';
  return `${facts.join('  ')}${names}`;
}

const MEANS = ['native+cgroup', 'native', 'cgroup', 'neither', 'portable'];
const SUPERVISORS: readonly Mode['supervisor'][] = ['alive', 'killed', 'adopted'];

interface Column {
  readonly title: string;
  readonly visits: readonly Visit[];
}

function columnsOf(visits: readonly Visit[]): Column[] {
  return MEANS.flatMap((means) =>
    SUPERVISORS.map((supervisor) => ({
      title: `${means} ${supervisor}`,
      visits: visits.filter(
        ({ mode }) => meansOf(mode) === means && mode.supervisor === supervisor,
      ),
    })),
  ).filter((column) => column.visits.length > 0);
}

/** In how many of its visits something of it got away: `0/4`. */
function cell(name: string, { visits }: Column): string {
  const seen = visits.filter(({ services }) => services.includes(name));
  if (seen.length === 0) return '-';
  return `${seen.filter(({ left }) => left.has(name)).length}/${seen.length}`;
}

function rowsOf(visits: readonly Visit[]): { columns: Column[]; names: string[] } {
  const names = [...new Set(visits.flatMap(({ services }) => services))].sort();
  return { columns: columnsOf(visits), names };
}

/** The behaviours that got away somewhere, by what devctl could use: how many visits of how many. */
export function figures(visits: readonly Visit[]): string {
  const { columns, names } = rowsOf(visits);
  const escaped = names.filter((name) => visits.some(({ left }) => left.has(name)));
  const held = visits.filter(({ mode }) => isHeld(mode));
  const alive = held.flatMap(({ left }) => [...left.values()]).flat().length;
  const dead = visits.flatMap(({ deadStrangers }) => deadStrangers).length;
  const beside = visits.reduce((sum, { strangers }) => sum + strangers, 0);
  const width = Math.max(10, ...escaped.map((name) => name.length));
  return [
    ...(escaped.length > 0
      ? ['Got away in so many visits of so many (behaviours that never did are not listed):', '']
      : []),
    ...columns.map(({ title }, index) => `${''.padEnd(width)}  ${'|  '.repeat(index)}${title}`),
    ...escaped.map(
      (name) =>
        `${name.padEnd(width)}  ${columns.map((one) => cell(name, one).padEnd(3)).join('')}`,
    ),
    '',
    `${names.length} services in ${visits.length} visits; where all was held, ${alive} survivors in ${held.length} visits; ` +
      `${dead} of ${beside} strangers dead`,
  ].join('\n');
}

/** The whole table, for docs/zoo.md. */
export function markdown(all: readonly Behaviour[], visits: readonly Visit[]): string {
  const { columns } = rowsOf(visits);
  const ran = all.filter(({ name }) => visits.some(({ services }) => services.includes(name)));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['behaviour', 'caught by', ...columns.map(({ title }) => title)]),
    line(['---', '---', ...columns.map(() => '--:')]),
    ...ran.map(({ name, how, caughtBy }) =>
      line([how.replace(name, `**${name}**`), caughtBy, ...columns.map((one) => cell(name, one))]),
    ),
    '',
  ]
    .flat()
    .join('\n');
}
