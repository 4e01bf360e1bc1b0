import type { Behaviour } from './behaviours.ts';
import { isHeld, type Mode, meansOf, nameOf } from './modes.ts';
import { faultsOf, type Visit } from './visit.ts';

/** Describes a mode and its outcome in one line. */
export function describeVisit(seen: Visit, tookMs: number): string {
  const { mode, report, left, bystanders, deadBystanders } = seen;
  const mark = faultsOf(seen).length === 0 ? '✓' : '✗';
  const alive = [...left.values()].reduce((sum, list) => sum + list.length, 0);
  const proof = report
    ? `${report.proof.strength}${report.proof.why ? ` (${report.proof.why})` : ''}`
    : 'no report';
  const facts = [
    `${mark} ${nameOf(mode)}`.padEnd(40),
    `${alive} of ${seen.before} left`.padEnd(16),
    `bystanders ${bystanders - deadBystanders.length}/${bystanders}`,
    `exit ${seen.exitCode}`,
    `stop ${report?.tookMs ?? '?'} ms of ${tookMs}`,
    proof,
  ];
  const names = left.size > 0 ? `\n    left: ${[...left.keys()].sort().join(' ')}` : '';
  return `${facts.join('  ')}${names}`;
}

const MEANS = ['native+cgroup', 'native', 'cgroup', 'neither', 'portable'];
const HOLDERS: readonly Mode['holder'][] = [
  'alive',
  'killed',
  'adopted',
  'run',
  'run-killed',
  'run-ended',
];

interface Column {
  readonly title: string;
  readonly visits: readonly Visit[];
}

function columnsOf(visits: readonly Visit[]): Column[] {
  return MEANS.flatMap((means) =>
    HOLDERS.map((holder) => ({
      title: `${means} ${holder}`,
      visits: visits.filter(({ mode }) => meansOf(mode) === means && mode.holder === holder),
    })),
  ).filter((column) => column.visits.length > 0);
}

/** Says in how many of its visits a process escaped: `0/4`. */
function cell(name: string, { visits }: Column): string {
  const seen = visits.filter(({ services }) => services.includes(name));
  if (seen.length === 0) return '-';
  return `${seen.filter(({ left }) => left.has(name)).length}/${seen.length}`;
}

function rowsOf(visits: readonly Visit[]): { columns: Column[]; names: string[] } {
  const names = [...new Set(visits.flatMap(({ services }) => services))].sort();
  return { columns: columnsOf(visits), names };
}

/** Lists the behaviours that escaped in some mode, with the number of visits. */
export function figures(visits: readonly Visit[]): string {
  const { columns, names } = rowsOf(visits);
  const escaped = names.filter((name) => visits.some(({ left }) => left.has(name)));
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
    summary(visits),
  ].join('\n');
}

/** Writes docs/zoo.md: the programs of the zoo, and those that escaped where not everything was contained. */
export function markdown(
  all: readonly Behaviour[],
  visits: readonly Visit[],
  machine: string,
): string {
  const { columns, names } = rowsOf(visits.filter(({ mode }) => !isHeld(mode)));
  const escaped = names.filter(
    // Nested programs have other names each time.
    (name) => all.some((one) => one.name === name) && visits.some(({ left }) => left.has(name)),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
  const ran = all.filter(({ name }) => visits.some(({ services }) => services.includes(name)));
  return `# The zoo

Written by \`npm run zoo -- --markdown docs/zoo.md\` on ${machine}. Each behaviour is a small program in
\`fixtures/zoo/\`, and ran as a service in every mode: as root and as an ordinary user; with and without the native
calls; with and without cgroups; on the portable process table; with the supervisor alive, killed before the stop, or
killed and replaced by one that adopted what ran; each under a \`devctl run\` of its own, alive, killed before the stop, or
told to end (*run-ended*); \`stop\` and \`stop --force\`. Five look-alikes stood beside each time.

${summary(visits)}

## Behaviours that got away where not all was held

In so many visits of so many. *neither*: no native calls and no cgroup; *portable*: \`ps\` instead of /proc as well. Every
one of these reports said *best effort*. A behaviour that is not in this table never got away.

${table(
  ['', ...columns.map(({ title }) => title)],
  escaped.map((name) => [name, ...columns.map((one) => cell(name, one))]),
)}

## All behaviours

${table(
  ['behaviour', 'caught by'],
  ran.map(({ name, how, caughtBy }) => [`**${name}**: ${how}`, caughtBy]),
)}
`;
}

/** The figures that count: where everything was contained, and of bystanders. */
function summary(visits: readonly Visit[]): string {
  const held = visits.filter(({ mode }) => isHeld(mode));
  const survivors = held.filter(({ left }) => left.size > 0).length;
  const dead = visits.flatMap(({ deadBystanders }) => deadBystanders).length;
  const beside = visits.reduce((sum, { bystanders }) => sum + bystanders, 0);
  const cut = visits.flatMap(({ cutShort }) => cutShort).length;
  const modes = new Set(visits.map(({ mode }) => nameOf(mode)));
  const heldModes = new Set(held.map(({ mode }) => nameOf(mode)));
  return (
    `${modes.size} modes. In the ${heldModes.size} where a subreaper or a cgroup held everything, survivors in ` +
    `${survivors} of ${held.length} visits. In all of them ${dead} of ${beside} look-alikes were harmed, ` +
    `and ${cut} grace periods were cut short.`
  );
}
