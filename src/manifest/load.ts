/*
 * The files of this folder: how `.devctl.json` is found, read, checked and resolved.
 *
 *   load              the whole way for commands that need a valid manifest
 *   outline           the short way for `status` and `stop`, which must work with a broken manifest too
 *   locate            finds the manifest, and skips those of other users
 *   read              reads the manifest and merges `.devctl.local.json` over it
 *   source            reads a text file, or says why it cannot be read
 *   parse             parses JSON with comments to a tree, with all syntax errors
 *   tree              values with their positions, and access to them by path
 *   problem           a mistake in a manifest: its position, its words, its order
 *   schema            the keys of a manifest, the only definition of them
 *   schema-limits     the schema of `limits`
 *   schema-policy     the schema of `restart`
 *   schema-probe      the schema of `ready` and `live`
 *   fields            the schema of values: durations, sizes, commands, names
 *   units             parses and formats durations and sizes
 *   check-shape       checks a tree against the schema, and words what is wrong
 *   bare-times        finds times without a unit that were probably meant in seconds
 *   semantics         checks what the schema cannot see: names, cycles, ports
 *   folders           checks the folders that a manifest names
 *   nearest           suggests the word that a mistyped word meant
 *   env-file          reads env files, and says which services they concern
 *   env-grammar       parses an env file
 *   env-expand        replaces the variables in an env file
 *   definition        the part of a manifest that the process of a service sees, to notice a change
 *   variables         removes unset variables from an environment
 *   containers/       the schema of `containers`, its checks and defaults
 *   resolve           fills in defaults and makes paths absolute
 *   limits            resolves limits, and has the default warnings
 *   resolved          the shapes of a resolved manifest
 *   select            finds the services that names on the command line stand for
 *   dependency-order  orders services by their dependencies
 *   json-schema       generates the JSON Schema for editors
 */
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { findBareTimes } from './bare-times.ts';
import { checkShape } from './check-shape.ts';
import type { Variables } from './env-expand.ts';
import { envProblems, readEnvFiles } from './env-file.ts';
import { locateManifest, type ManifestPlace, type ManifestQuery, startFolder } from './locate.ts';
import { type Parsed, parseText } from './parse.ts';
import { formatProblem, type Problem, problem, sortProblems } from './problem.ts';
import { readTree } from './read.ts';
import { resolveManifest } from './resolve.ts';
import type { ResolvedManifest } from './resolved.ts';
import { checkSemantics } from './semantics.ts';
import { entriesOf, keyPositionOf, valueAt } from './tree.ts';

const MOST_SERVICES = 1_000;
const MOST_LINES = 100;

export interface LoadQuery extends ManifestQuery {
  /** The environment of the caller, for `$NAME` in env files; `process.env` by default. */
  readonly env?: Variables | undefined;
}

/** The outcome of reading a manifest. */
export interface Examination {
  readonly place: ManifestPlace;
  /** Null: it has problems. */
  readonly manifest: ResolvedManifest | null;
  /**
   * In the order of the files: the manifest, `.devctl.local.json`, env files. Those of env files alone leave a
   * manifest, whose services can be started that do not use these files.
   */
  readonly problems: readonly Problem[];
  /** Places that are valid and surprise. */
  readonly warnings: readonly Problem[];
}

/**
 * Finds, reads, checks and resolves the manifest. A start refuses services whose env files have problems
 * (`requireReadableEnvFiles`), because the others can be started.
 *
 * @throws DevctlError as `findManifest`; `manifest-invalid` with one line for each problem;
 *   `manifest-unsupported` when the manifest is valid, but this version cannot do a part of it
 */
export function loadManifest(query: LoadQuery): ResolvedManifest {
  const { place, manifest, problems } = examineManifest(query);
  if (manifest !== null) return manifest;
  throw manifestInvalid(problems, shownFrom(query) ?? place.root);
}

/**
 * Words the problems of a manifest.
 *
 * @param from the folder from which the user sees the files
 */
export function manifestInvalid(problems: readonly Problem[], from: string): DevctlError {
  const lines = problems.slice(0, MOST_LINES).map((found) => formatProblem(found, from));
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`… and ${more} more`);
  if (problems.every(({ unsupported }) => unsupported))
    return new DevctlError('manifest-unsupported', lines.join('\n'), {
      hint: 'take it out of the manifest for now: devctl refuses what it would have to ignore',
    });
  return new DevctlError('manifest-invalid', lines.join('\n'));
}

/** The folder from which the user sees the files with the problems; null where it was removed. */
export function shownFrom({ cwd }: LoadQuery): string | null {
  try {
    return startFolder(cwd);
  } catch {
    return null;
  }
}

/**
 * Does the same as {@link loadManifest}, but returns all that it has found as data.
 *
 * @throws DevctlError as `findManifest` only
 */
export function examineManifest(query: LoadQuery): Examination {
  const place = locateManifest(query);
  return examineParsed(place, readTree(place), query.env ?? process.env);
}

/**
 * Does the same with the text of a manifest that no file has.
 *
 * @param root real path of the project folder
 */
export function examineText(text: string, root: string): Examination {
  const file = join(root, '.devctl.json');
  const place = { kind: 'found', file, root, local: null, trusted: true } as const;
  return examineParsed(place, parseText(text, file), process.env);
}

function examineParsed(
  place: ManifestPlace,
  { tree, problems }: Parsed,
  callerEnv: Variables,
): Examination {
  if (tree === null || problems.length > 0)
    return { place, manifest: null, problems, warnings: [] };

  const services = entriesOf(valueAt(tree, 'services')).size;
  if (services > MOST_SERVICES) {
    const message = `names ${services} services; devctl supervises at most ${MOST_SERVICES}`;
    const found = problem(keyPositionOf(tree, ['services']), ['services'], message);
    return { place, manifest: null, problems: [found], warnings: [] };
  }

  const shape = checkShape(tree);
  const envFiles = readEnvFiles(tree, place.root);
  const found = [...shape.problems, ...checkSemantics(tree, place.root), ...envFiles.problems];
  const warnings = findBareTimes(tree);
  if (found.length > 0 || shape.manifest === null) {
    const inEnvFiles = [...envFiles.files.values()].flatMap((file) => file.problems);
    const problems = [...sortProblems(found, place.local), ...inEnvFiles];
    return { place, manifest: null, problems, warnings };
  }
  const manifest = resolveManifest({
    place,
    manifest: shape.manifest,
    tree,
    envFiles: envFiles.files,
    callerEnv,
  });
  return {
    place,
    manifest,
    problems: envProblems(manifest, 'problem', null),
    warnings: [
      ...warnings,
      ...envProblems(manifest, 'warning', null),
      ...envProblems(manifest, 'note', null),
    ],
  };
}
