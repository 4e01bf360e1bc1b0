import {
  type Exported,
  type ExportedFile,
  type ExportedService,
  type ExportNote,
  type ExportSource,
  noteInWords,
  type UnitPart,
} from './source.ts';
import { environmentLines } from './systemd-environment.ts';
import { limitLines, readyLines, restartLines, stopLines } from './systemd-values.ts';
import { execLine, pathValue } from './systemd-words.ts';

/** Longest name of a project in the name of a unit, which has 255 characters at most. */
const LONGEST_NAME = 100;

/**
 * Writes user units: one for each service, and a target that starts those that `start` without names starts, and with
 * which all of them are stopped.
 */
export function toUnits(source: ExportSource): Exported {
  const prefix = unitPrefix(source.name);
  const units = source.services.map((exported) => serviceUnit(source, exported, prefix));
  const notes = [...generalNotes(source), ...units.flatMap((unit) => unit.notes)];
  const target = `${prefix}.target`;
  return { notes, files: [targetUnit(source, target, prefix), ...units.map(({ file }) => file)] };
}

/** The beginning of the name of each unit of a project, and of its target. */
function unitPrefix(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9:_.-]+/g, '-').slice(0, LONGEST_NAME);
  return `devctl-${safe}`;
}

function targetUnit(source: ExportSource, target: string, prefix: string): ExportedFile {
  const started = source.services.filter(({ service }) => service.autostart);
  const lines = [
    ...generalNotes(source).map((note) => `# ${noteInWords(note)}`),
    '[Unit]',
    `Description=${describe(source.name)}`,
    ...started.map(({ service }) => `Wants=${prefix}-${service.name}.service`),
    '',
    '[Install]',
    'WantedBy=default.target',
  ];
  return { name: target, text: inLines(lines) };
}

function serviceUnit(
  source: ExportSource,
  exported: ExportedService,
  prefix: string,
): { readonly file: ExportedFile; readonly notes: readonly ExportNote[] } {
  const { service } = exported;
  const { name, command, cwd, oneShot, definedAt } = service;
  const environment = environmentLines(exported, source.path);
  const dependencies = dependencyLines(exported, source, prefix);
  const restart = restartLines(service);
  const limits = limitLines(service);
  const ready = readyLines(service, environment.over);
  const notes = [dependencies, environment, restart, limits, ready]
    .flatMap((part) => part.notes)
    .concat(unmapped(exported));
  const lines = [
    `# ${definedAt}`,
    ...notes.map((note) => `# ${noteInWords(note)}`),
    '[Unit]',
    `Description=${describe(`${name} of ${source.name}`)}`,
    `PartOf=${prefix}.target`,
    ...dependencies.lines,
    ...restart.lines.filter((line) => line.startsWith('StartLimit')),
    '',
    '[Service]',
    ...(oneShot ? ['Type=oneshot', 'RemainAfterExit=yes'] : ['Type=exec']),
    `WorkingDirectory=${pathValue(cwd)}`,
    ...environment.lines,
    `ExecStart=${execLine(command, environment.over)}`,
    ...ready.lines,
    ...restart.lines.filter((line) => !line.startsWith('StartLimit')),
    ...stopLines(service, environment.over),
    ...limits.lines,
  ];
  return { file: { name: `${prefix}-${name}.service`, text: inLines(lines) }, notes };
}

/** Facts that concern every service, once. */
function generalNotes({ services, path, projectLimits }: ExportSource): readonly ExportNote[] {
  const note = (key: string, text: string): ExportNote => ({ service: null, key, text });
  const withStdin = services.filter(({ service }) => service.stdin === 'fifo' && !service.tty);
  return [
    note(
      'env',
      path === ''
        ? 'nothing of your shell is handed on'
        : 'of your shell only PATH is handed on, as it was at this export',
    ),
    ...(withStdin.length > 0
      ? [
          note(
            'stdin',
            'is empty under systemd, so a program that ends with its stdin ends at once',
          ),
        ]
      : []),
    ...projectLimits.map((kind) => note(`limits.${kind}`, 'no unit limits all services together')),
  ];
}

function dependencyLines(
  { service, containers }: ExportedService,
  { services }: ExportSource,
  prefix: string,
): UnitPart {
  const all = Object.entries(service.dependsOn);
  const tasks = services.filter((one) => one.service.oneShot).map((one) => one.service.name);
  const late = all.filter(
    ([name, condition]) => /^(completed|exited)$/.test(condition) && !tasks.includes(name),
  );
  return {
    lines: all.flatMap(([name, condition]) => {
      const unit = `${prefix}-${name}.service`;
      return [`${condition === 'exited' ? 'Wants' : 'Requires'}=${unit}`, `After=${unit}`];
    }),
    notes: [
      ...late.map(([name]) => ({
        service: service.name,
        key: `dependsOn.${name}`,
        text: 'systemd waits for its start, not for its end, because it is no task',
      })),
      ...containers.map((name) => ({
        service: service.name,
        key: `dependsOn.${name}`,
        text: 'is a container, which no unit starts',
      })),
    ],
  };
}

/** The keys that no unit has. */
function unmapped({ service }: ExportedService): readonly ExportNote[] {
  const note = (key: string, text: string): ExportNote => ({ service: service.name, key, text });
  return [
    ...(service.live === null
      ? []
      : [note('live', 'systemd does not ask whether it is still well')]),
    ...(service.tty ? [note('tty', 'it has no terminal under systemd')] : []),
    ...(Object.keys(service.on).length > 0 || service.stop.stopped !== undefined
      ? [note('on', 'systemd runs no hooks for these events')]
      : []),
  ];
}

/** A text for people on one line. */
function describe(text: string): string {
  return pathValue(text.replaceAll(/[\p{Cc}\\]+/gu, ' '));
}

function inLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
