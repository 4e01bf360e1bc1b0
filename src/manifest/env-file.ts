import { resolve } from 'node:path';
import { DevctlError } from '../errors.ts';
import { currentFolder, removedCurrentFolder } from '../processes/working-folder.ts';
import { type ParsedEnvFile, parseEnvFile } from './env-grammar.ts';
import { formatProblem, type Problem, problem, show, type ValuePath } from './problem.ts';
import type { EnvFinding, ResolvedManifest } from './resolved.ts';
import { readSource } from './source.ts';
import { entriesOf, itemsOf, scalarOf, type Tree, valueAt } from './tree.ts';

/** The env files by absolute path, and the problems of reading them. */
export interface EnvFiles {
  readonly files: ReadonlyMap<string, ParsedEnvFile>;
  readonly problems: readonly Problem[];
}

/** Reads every env file that the project or a service names. Each file is read once. */
export function readEnvFiles(tree: Tree, root: string): EnvFiles {
  const files = new Map<string, ParsedEnvFile>();
  const services = [...entriesOf(valueAt(tree, 'services')).keys()];
  const places = [['envFile'], ...services.map((name) => ['services', name, 'envFile'])];
  const problems = places.flatMap((path) =>
    namesAt(tree, path).flatMap(({ name, path: where, value }) => {
      const file = resolve(root, name);
      if (files.has(file)) return [];
      const source = readSource(file);
      const why = source.kind === 'unreadable' ? source.why : 'holds a NUL character';
      if (source.kind === 'text' && !source.text.includes('\0')) {
        files.set(file, parseEnvFile(source.text, file));
        return [];
      }
      const tilde = name.startsWith('~') ? '; "~" is not replaced' : '';
      const message = `${show(name)} ${why} (relative to the manifest${tilde})`;
      return [problem(value.at, where, message)];
    }),
  );
  return { files, problems };
}

/** Lists the env files that one `envFile` of a manifest names, as absolute paths. */
export function envFilesAt(tree: Tree, path: ValuePath, root: string): readonly string[] {
  return namesAt(tree, path).map(({ name }) => resolve(root, name));
}

function namesAt(
  tree: Tree,
  path: ValuePath,
): readonly { readonly name: string; readonly path: ValuePath; readonly value: Tree }[] {
  const value = valueAt(tree, ...path);
  if (value === undefined) return [];
  const places =
    value.kind === 'list'
      ? itemsOf(value).map((item, index) => ({ value: item, path: [...path, index] }))
      : [{ value, path }];
  return places.flatMap((place) => {
    const name = scalarOf(place.value);
    return typeof name === 'string' && name !== '' && !name.includes('\0')
      ? [{ ...place, name }]
      : [];
  });
}

/**
 * Finds what is wrong with the env files, each once, in the order of the files.
 *
 * @param names the services that count; null: all of them. Findings in the project's own files always count
 */
export function envProblems(
  { envFindings }: Pick<ResolvedManifest, 'envFindings'>,
  severity: EnvFinding['severity'],
  names: readonly string[] | null,
): readonly Problem[] {
  const found = envFindings.filter(
    (one) =>
      one.severity === severity &&
      (names === null || one.service === null || names.includes(one.service)),
  );
  const unique = new Map(found.map((one) => [JSON.stringify(one.found), one.found]));
  return [...unique.values()];
}

/**
 * Refuses to start services whose env files have problems, because such a service would run without a
 * variable and nobody would know.
 *
 * @throws DevctlError 'manifest-invalid'
 */
export function requireReadableEnvFiles(
  manifest: ResolvedManifest,
  names: readonly string[],
  warn: (line: string) => void,
): void {
  const problems = envProblems(manifest, 'problem', names);
  if (problems.length > 0) {
    throw new DevctlError('manifest-invalid', inLines(problems, manifest.root).join('\n'), {
      hint: 'nothing was started, because a service must not miss a variable in silence',
    });
  }
  warnOfEnvFiles(manifest, 'warning', names, warn);
}

/** Tells what is wrong with the env files of services. */
export function warnOfEnvFiles(
  manifest: ResolvedManifest,
  severity: 'problem' | 'warning',
  names: readonly string[],
  warn: (line: string) => void,
): void {
  const found = envProblems(manifest, severity, names);
  for (const line of inLines(found, manifest.root)) warn(line);
}

function inLines(problems: readonly Problem[], root: string): string[] {
  return problems.map((found) => formatProblem(found, seenFrom(root)));
}

/** The current folder, from which the user sees the files; `root` where that was removed. */
function seenFrom(root: string): string {
  return removedCurrentFolder() === null ? currentFolder() : root;
}
