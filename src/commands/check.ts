import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { DevctlError, ExitCode } from '../errors.ts';
import { type Examination, examineManifest, manifestInvalid, shownFrom } from '../manifest/load.ts';
import type { ManifestPlace, ManifestQuery } from '../manifest/locate.ts';
import { formatPath, formatProblem, type Problem, problem } from '../manifest/problem.ts';
import { readTree } from '../manifest/read.ts';
import type { ResolvedManifest } from '../manifest/resolved.ts';
import { keyPositionOf } from '../manifest/tree.ts';
import { findWithoutTerminal, WITHOUT_TERMINAL } from '../operations/start/terminals.ts';
import { printJson } from '../output/terminal/json.ts';
import { printable } from '../output/terminal/width.ts';
import { manifestQuery, openProject } from '../project/open-project.ts';
import { similarProgram, unknownProgram } from '../services/launch/unknown-program.ts';

/**
 * Runs `devctl check`: validates the manifest and starts nothing.
 *
 * @returns 0; with `json` also 2 when there are problems
 * @throws DevctlError with all problems, without `json`
 */
export async function checkCommand(options: { config?: string; json?: boolean }): Promise<number> {
  const query = { config: options.config };
  if (options.json === true) return printJsonReport(query);
  const { place, manifest, problems, warnings } = await examine(query);
  const from = shownFrom(query) ?? place.root;
  if (manifest === null || problems.length > 0) throw manifestInvalid(problems, from);
  const { file, services, groups, containers } = manifest;
  const names = Object.keys(services);
  const counted = [
    containers !== null && names.length === 0 ? 'containers alone' : count(names.length, 'service'),
    ...(Object.keys(groups).length > 0 ? [count(Object.keys(groups).length, 'group')] : []),
  ];
  process.stdout.write(`✓ ${basename(file)}: ${counted.join(', ')}: no problems\n`);
  const notes = [...inWords(warnings, from), ...(await notesOn(manifest))];
  for (const note of notes) process.stderr.write(`! ${printable(note)}\n`);
  return ExitCode.Ok;
}

async function printJsonReport(query: ManifestQuery): Promise<number> {
  const { manifest, warnings, ...answer } = await examineOrExplain(query);
  const notes = [...warnings, ...(manifest ? await notesOn(manifest) : [])];
  const report = { ok: answer.problems.length === 0, ...answer, notes };
  printJson(report);
  return report.ok ? ExitCode.Ok : ExitCode.Usage;
}

async function examine(query: ManifestQuery): Promise<Examination> {
  const found = examineManifest(manifestQuery(openProject(query), query));
  const problems = found.manifest
    ? [
        ...(await withoutTerminal(found.place, found.manifest)),
        ...(await composeProblems(found.place, found.manifest)),
      ]
    : [];
  const unknown = found.manifest ? unknownPrograms(found.place, found.manifest) : [];
  return {
    ...found,
    problems: [...found.problems, ...problems],
    warnings: [...found.warnings, ...unknown],
  };
}

/** Services that this machine cannot start, because it has no terminal for them. */
async function withoutTerminal(
  place: ManifestPlace,
  manifest: ResolvedManifest,
): Promise<readonly Problem[]> {
  const found = await findWithoutTerminal(manifest, Object.keys(manifest.services));
  const { tree } = readTree(place);
  if (!found || !tree) return [];
  return found.names.map((name) => {
    const path = ['services', name, 'tty'];
    const message = `${found.why}: ${WITHOUT_TERMINAL}`;
    return { ...problem(keyPositionOf(tree, path), path, message), unsupported: true };
  });
}

/** Commands whose program is not on the PATH of this terminal, or of the service. */
function unknownPrograms(place: ManifestPlace, { services }: ResolvedManifest): readonly Problem[] {
  const { tree } = readTree(place);
  if (!tree) return [];
  return Object.values(services).flatMap((service) => {
    const word = unknownProgram(service.command, service);
    if (word === null) return [];
    const path = ['services', service.name, 'command'];
    const meant = similarProgram(word, service);
    const hint = meant === null ? '' : `: did you mean ${meant}?`;
    return [problem(keyPositionOf(tree, path), path, `"${word}" is not found on PATH${hint}`)];
  });
}

/** Problems of the compose files. Their checks are loaded for manifests with containers only. */
async function composeProblems(
  place: ManifestPlace,
  { containers, services }: ResolvedManifest,
): Promise<readonly Problem[]> {
  const { tree } = readTree(place);
  if (containers === null || !tree) return [];
  const { checkCompose } = await import('../containers/check.ts');
  const why = checkCompose(containers, place.root, Object.keys(services), process.env);
  const path = ['containers'];
  return why === null ? [] : [problem(keyPositionOf(tree, path), path, why)];
}

async function examineOrExplain(query: ManifestQuery) {
  try {
    const { place, manifest, problems, warnings } = await examine(query);
    return {
      file: place.file,
      problems: problems.map(problemToJson),
      manifest,
      warnings: inWords(warnings, shownFrom(query) ?? place.root),
    };
  } catch (error) {
    if (!(error instanceof DevctlError)) throw error;
    const nowhere = { file: null, line: null, column: null, path: '', suggestion: null };
    const problems = [{ ...nowhere, message: error.message }];
    return { file: null, problems, manifest: null, warnings: [] };
  }
}

function inWords(warnings: readonly Problem[], from: string): readonly string[] {
  return warnings.map((found) => formatProblem(found, from));
}

/** Finds settings that are valid, but surprise: what they say does not happen. */
async function notesOn(manifest: ResolvedManifest): Promise<readonly string[]> {
  return [...(await notesOnLogs(manifest)), ...(await notesOnProtection(manifest))];
}

async function notesOnProtection(manifest: ResolvedManifest): Promise<readonly string[]> {
  const { protection, services } = manifest;
  if (protection.patterns.length === 0) return [];
  const { compilePattern } = await import('../patterns/pattern.ts');
  return protection.patterns.map(compilePattern).flatMap((pattern) =>
    Object.values(services)
      .filter(({ command }) =>
        pattern.test(typeof command === 'string' ? command : command.join(' ')),
      )
      .map(
        ({ name }) =>
          `protect ${pattern.source} matches the command of ${name}, whose leader no pattern protects; what it starts may be`,
      ),
  );
}

async function notesOnLogs({ logRotation, logsDir }: ResolvedManifest): Promise<readonly string[]> {
  if (!logRotation) return [];
  const { findCutWay } = await import('../processes/native/cut-file.ts');
  let folder = logsDir;
  // The nearest folder that exists is on the disk where the folder of the logs will be.
  while (!existsSync(folder)) folder = dirname(folder);
  const way = await findCutWay(folder);
  return way.how === null ? [`logs are not rotated here, and grow: ${way.why}`] : [];
}

function problemToJson({ at, path, message, suggestion, unsupported }: Problem) {
  return { ...at, path: formatPath(path), message, suggestion, unsupported };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
