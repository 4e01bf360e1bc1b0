import { type EnvFiles, envFilesAt, readEnvFiles } from './env-file.ts';
import type { ManifestPlace } from './locate.ts';
import { readTree } from './read.ts';
import type { Definition } from './resolved.ts';
import { entriesOf, scalarOf, type Tree, toValue, valueAt } from './tree.ts';

/**
 * Returns the definition of a service; null where an env file of it cannot be read.
 *
 * @param root the folder that the names of env files are relative to
 */
export function definitionOf(
  tree: Tree,
  service: string,
  root: string,
  envFiles: EnvFiles['files'],
): Definition | null {
  const own = (...path: string[]): unknown => plain(valueAt(tree, 'services', service, ...path));
  const ofBoth = [['envFile'], ['services', service, 'envFile']].map((path) =>
    envFilesAt(tree, path, root).map((file) => envFiles.get(file)),
  );
  if (ofBoth.flat().includes(undefined)) return null;
  const assigned = ofBoth.map((files) => files.flatMap((file) => file?.assignments ?? []));
  const variables = [['env'], ['services', service, 'env']].map((path) =>
    sortedVariables(tree, path),
  );
  const values: Readonly<Record<string, unknown>> = {
    command: own('command'),
    cwd: own('cwd'),
    env: variables.flat().length > 0 ? variables : null,
    envFile: assigned.flat().length > 0 ? assigned : null,
    stdin: own('stdin'),
    tty: own('tty'),
    color: own('color') ?? plain(valueAt(tree, 'color')),
    'limits.openFiles': own('limits', 'openFiles'),
    'limits.core': own('limits', 'core'),
  };
  const given = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([key, value]) => [key, JSON.stringify(value, withoutPlaces)]),
  );
}

/**
 * Reads the definitions of services from the files of a manifest, without validating it.
 *
 * @returns null for a service whose definition cannot be read
 */
export function readDefinitions(
  place: ManifestPlace,
  services: readonly string[],
): ReadonlyMap<string, Definition | null> {
  const { tree, problems } = readTree(place);
  const isBroken = tree === null || problems.length > 0;
  const files = isBroken ? new Map() : readEnvFiles(tree, place.root).files;
  const read = (name: string): Definition | null =>
    isBroken || valueAt(tree, 'services', name) === undefined
      ? null
      : definitionOf(tree, name, place.root, files);
  return new Map(services.map((name) => [name, read(name)]));
}

function plain(tree: Tree | undefined): unknown {
  return tree === undefined ? null : toValue(tree);
}

/** Lists variables as their process sees them: all of them texts, in no order of its own. */
function sortedVariables(tree: Tree, path: readonly string[]): readonly (readonly string[])[] {
  const entries = [...entriesOf(valueAt(tree, ...path))];
  return entries
    .map(([name, { value }]) => [name, String(scalarOf(value))] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Leaves out the place of a reference in its env file: a comment above it changes nothing. */
function withoutPlaces(key: string, value: unknown): unknown {
  return key === 'at' ? undefined : value;
}
