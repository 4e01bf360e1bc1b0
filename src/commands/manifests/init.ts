import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DevctlError, ExitCode } from '../../errors.ts';
import { collectRepository } from '../../init/collect.ts';
import { type DiffLine, diffLines } from '../../init/line-diff.ts';
import { oneOffCommand, toManifestText } from '../../init/manifest-text.ts';
import type { Proposal } from '../../init/proposal.ts';
import { propose } from '../../init/propose.ts';
import { examineManifest } from '../../manifest/load.ts';
import { findManifest, SMALLEST_MANIFEST } from '../../manifest/locate.ts';
import { formatProblem } from '../../manifest/problem.ts';
import { readSource } from '../../manifest/source.ts';
import { printJson } from '../../output/terminal/json.ts';
import { type Theme, themeFor } from '../../output/terminal/theme.ts';
import { printable } from '../../output/terminal/width.ts';
import { DEVCTL } from '../../own-command.ts';
import { currentFolder } from '../../processes/working-folder.ts';
import { USUAL_MANIFEST } from '../../project/names.ts';
import { holdsHomeFolder, whySeveralProjects } from '../../project/place/several-projects.ts';
import { writeManifest } from './write.ts';

export interface InitOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
  readonly probe?: boolean;
}

/**
 * Runs `devctl init`. Exits 0 when the manifest is written, or is there already and the same; 1 when a file that differs
 * is there, or nothing to run was found; 2 when nobody could be asked.
 */
export async function initCommand(options: InitOptions): Promise<number> {
  const root = folderToInit(options.config);
  const found = propose(collectRepository(root));
  if (found.services.length === 0) throw nothingFound(root, found);
  const { yes = false, json = false, probe = false } = options;
  if (probe && !yes && (json || !canAsk())) throw nobodyToAsk('init --probe --yes');
  const file = join(root, USUAL_MANIFEST);
  const isThere = existsSync(file);
  const isAsked = !yes && !json && !isThere && canAsk();
  const taken = isAsked ? await askWhich(found) : found;
  const proposal = taken && probe ? await probeLazily(taken, root, options) : taken;
  if (proposal === null) return notWritten();
  if (isThere) return compareOnly(file, proposal, root, options);
  if (json) return writeAsJson(file, proposal, root, options);

  const theme = themeFor(process.stdout, options.color);
  showProposal(proposal, root, theme);
  if (!yes) {
    if (!isAsked) throw nobodyToAsk('init --yes');
    const { askWhether } = await import('../../output/terminal/questions.ts');
    if (!(await askWhether(`Write ${file}?`))) return notWritten();
  }
  writeManifest(file, toManifestText(proposal, schemaPath(root)));
  return printWritten(file, root, proposal, theme);
}

async function probeLazily(
  proposal: Proposal,
  root: string,
  options: InitOptions,
): Promise<Proposal | null> {
  return (await import('./probe.ts')).probeProposal(proposal, root, options);
}

function notWritten(): number {
  process.stderr.write('nothing was written\n');
  return ExitCode.Failed;
}

function nobodyToAsk(command: string): DevctlError {
  return new DevctlError('usage', 'nothing was written: there is no terminal to ask on', {
    hint: `without a question: ${DEVCTL} ${command}`,
  });
}

/**
 * The folder that gets a manifest: the current one, or the one that `--config` names.
 *
 * @throws DevctlError 'usage' where a manifest counts there already, or everything of the user is below it
 */
function folderToInit(config: string | undefined): string {
  const root = realpathSync(resolve(currentFolder(), namedFolder(config)));
  if (holdsHomeFolder(root) === true)
    throw new DevctlError('usage', `${root} holds more than one project, so it gets no manifest`, {
      hint: 'go to the folder of a project',
    });
  const above = config === undefined ? findManifest({ cwd: root }) : null;
  if (above?.kind === 'found' && above.root !== root)
    throw new DevctlError('usage', `${above.file} is the manifest of this folder already`, {
      hint: `for a project of its own in this folder: ${DEVCTL} init --config .`,
    });
  const several = config === undefined && above?.kind !== 'found' ? whySeveralProjects(root) : null;
  if (several !== null)
    throw new DevctlError('usage', `${several}, so it gets no manifest by itself`, {
      hint: `go to the folder of one project; for a manifest of all: ${DEVCTL} init --config .`,
    });
  return root;
}

function namedFolder(config: string | undefined): string {
  if (config === undefined) return '.';
  const named = config.endsWith(USUAL_MANIFEST) ? join(config, '..') : config;
  if (statSync(named, { throwIfNoEntry: false })?.isDirectory()) return named;
  throw new DevctlError('usage', `${config} is no folder`, {
    hint: `init writes ${USUAL_MANIFEST} in a folder: name that one`,
  });
}

/** The failure where a repository has nothing to run. */
export function nothingFound(root: string, { notes }: Proposal): DevctlError {
  const message = [`nothing to run was found in ${root}`, ...notes.map((note) => `  ${note}`)];
  return new DevctlError('init-failed', message.join('\n'), {
    hint: `write ${USUAL_MANIFEST} by hand: ${SMALLEST_MANIFEST}`,
  });
}

/** A manifest is there already: shows how the proposal differs, and writes nothing. */
function compareOnly(
  file: string,
  proposal: Proposal,
  root: string,
  { json, color }: InitOptions,
): number {
  const source = readSource(file);
  const before = source.kind === 'text' ? source.text : source.before;
  const text = toManifestText(proposal, schemaPath(root));
  const isSame = before === text;
  if (json) {
    printJson({ ok: isSame, ...inJson(file, proposal, text), exists: true, written: false });
    return isSame ? ExitCode.Ok : ExitCode.Failed;
  }
  if (isSame) {
    process.stdout.write(`${file} is there already, and is what init would write\n`);
    return ExitCode.Ok;
  }
  const theme = themeFor(process.stdout, color);
  printDiff(diffLines(before, text), theme);
  process.stderr.write(`✗ ${file} is there already, and init overwrites nothing\n`);
  process.stderr.write('  → the lines with + are what init would write: take over what you want\n');
  return ExitCode.Failed;
}

function writeAsJson(
  file: string,
  proposal: Proposal,
  root: string,
  { yes = false }: InitOptions,
): number {
  const text = toManifestText(proposal, schemaPath(root));
  if (yes) writeManifest(file, text);
  const problems = yes ? problemsOf(file, root) : [];
  const ok = problems.length === 0;
  printJson({ ok, ...inJson(file, proposal, text), exists: false, written: yes, problems });
  return ok ? ExitCode.Ok : ExitCode.Usage;
}

function inJson(
  file: string,
  { services, containers, oneOffs, notes, install }: Proposal,
  text: string,
) {
  return {
    file,
    services: services.map(({ text: _text, ...service }) => service),
    containers: containers && { from: containers.from, services: containers.names },
    oneOffs,
    notes,
    install,
    text,
    next: `${DEVCTL} start`,
  };
}

/** Asks which services to take. Null: the user has cancelled. */
async function askWhich(proposal: Proposal): Promise<Proposal | null> {
  const { services, containers } = proposal;
  if (services.length === 1 && containers === null) return proposal;
  const { askWhichNames } = await import('../../output/terminal/questions.ts');
  const choices = services.map(({ name, from, text }) => ({
    name,
    hint: printable(`${text.split('\n')[0]}  (${from})`),
  }));
  const offered = containers && {
    name: 'containers:',
    hint: printable(`${containers.names.join(', ')}  (${containers.from})`),
  };
  const names = await askWhichNames('Which of these is devctl to start?', [
    ...(offered ? [offered] : []),
    ...choices,
  ]);
  if (names === null || !services.some(({ name }) => names.includes(name))) return null;
  const isTaken = offered !== null && names.includes(offered.name);
  return withOnly({ ...proposal, containers: isTaken ? containers : null }, names);
}

/** Tells whether questions can be asked: a person sees them, and can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Leaves out services, and the dependencies on them. */
function withOnly(proposal: Proposal, names: readonly string[]): Proposal {
  const known = [...names, ...(proposal.containers?.names ?? [])];
  const services = proposal.services
    .filter(({ name }) => names.includes(name))
    .map(({ dependsOn, ...service }) => {
      const kept = Object.entries(dependsOn ?? {}).filter(([name]) => known.includes(name));
      return kept.length === 0 ? service : { ...service, dependsOn: Object.fromEntries(kept) };
    });
  return { ...proposal, services };
}

/** Prints what was found and the manifest that would be written. */
function showProposal(proposal: Proposal, root: string, theme: Theme): void {
  const text = toManifestText(proposal, schemaPath(root));
  process.stdout.write(`${theme.bold(join(root, USUAL_MANIFEST))}\n`);
  printDiff(diffLines('', text), theme);
}

/** Prints a comparison, with the marks of diff(1). */
export function printDiff(
  lines: readonly DiffLine[],
  theme: Theme,
  write: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): void {
  const paint = { same: theme.dim, added: theme.green, removed: theme.red };
  const mark = { same: ' ', added: '+', removed: '-' };
  for (const { kind, text } of lines)
    write(paint[kind](`${mark[kind]} ${printable(text)}`.trimEnd()));
}

/** Where editors find the schema: in the installed package, if the project has it. */
export function schemaPath(root: string): string | null {
  const path = 'node_modules/devctl/schema/devctl.schema.json';
  return existsSync(join(root, path)) ? `./${path}` : null;
}

/** Lists what `devctl check` says of the manifest that was written. */
function problemsOf(file: string, root: string): readonly string[] {
  return examineManifest({ file }).problems.map((found) => formatProblem(found, root));
}

function printWritten(file: string, root: string, proposal: Proposal, theme: Theme): number {
  const { stdout, stderr } = process;
  const { services, containers, oneOffs, install } = proposal;
  const count = countOf(services.length, 'service');
  const others = containers === null ? '' : `, ${countOf(containers.names.length, 'container')}`;
  const problems = problemsOf(file, root);
  stdout.write(`${theme.green('✓')} ${file} is written: ${count}${others}\n`);
  for (const found of problems) stderr.write(`${theme.red('✗')} ${printable(found)}\n`);
  if (problems.length > 0) {
    stderr.write(`  → mend it: ${DEVCTL} check\n`);
    return ExitCode.Usage;
  }
  const [first] = oneOffs;
  if (first) stdout.write(`  tests: ${printable(oneOffCommand(first.command))}\n`);
  if (install !== null) stdout.write(`  install first: ${printable(install)}\n`);
  stdout.write(`next: ${DEVCTL} start\n`);
  return ExitCode.Ok;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
