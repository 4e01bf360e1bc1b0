import { DevctlError } from '../errors.ts';
import { checkShape } from './check-shape.ts';
import { readEnvFiles, type Variables } from './env-file.ts';
import { locateManifest, type ManifestPlace, type ManifestQuery, realPath } from './locate.ts';
import { formatProblem, type Problem, problem, sortProblems } from './problem.ts';
import { readTree } from './read.ts';
import { resolveManifest } from './resolve.ts';
import type { ResolvedManifest } from './resolved.ts';
import { checkSemantics } from './semantics.ts';
import { entriesOf, keyPositionOf, type Tree, valueAt } from './tree.ts';

const MOST_SERVICES = 1_000;
const MOST_LINES = 100;

export interface LoadQuery extends ManifestQuery {
  /** The caller's environment, for `$NAME` in env files; `process.env` by default. */
  readonly env?: Variables | undefined;
}

/** A manifest, or all that is wrong with it: exactly one of the two. */
export interface Examination {
  readonly place: ManifestPlace;
  readonly manifest: ResolvedManifest | null;
  /** In the order of the file. */
  readonly problems: readonly Problem[];
}

/**
 * Finds, reads, checks and resolves the manifest.
 *
 * @throws DevctlError `manifest-not-found`; `manifest-invalid` with one line for each problem;
 * `manifest-unsupported` when all of it is right, but this version cannot do some of it
 */
export function loadManifest(query: LoadQuery): ResolvedManifest {
  const { manifest, problems } = examineManifest(query);
  if (manifest !== null) return manifest;
  const cwd = realPath(query.cwd) ?? query.cwd;
  const lines = problems.slice(0, MOST_LINES).map((found) => formatProblem(found, cwd));
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`… and ${more} more`);
  if (problems.every(({ unsupported }) => unsupported))
    throw new DevctlError('manifest-unsupported', lines.join('\n'), {
      hint: 'take it out of the manifest for now: devctl refuses what it would have to ignore',
    });
  throw new DevctlError('manifest-invalid', lines.join('\n'));
}

/**
 * As {@link loadManifest}, with the problems as data.
 *
 * @throws DevctlError `manifest-not-found` only
 */
export function examineManifest(query: LoadQuery): Examination {
  const place = locateManifest(query);
  const { tree, problems } = readTree(place);
  if (tree === null || problems.length > 0) return { place, manifest: null, problems };

  const services = entriesOf(valueAt(tree, 'services')).size;
  if (services > MOST_SERVICES) {
    const message = `names ${services} services; devctl supervises at most ${MOST_SERVICES}`;
    const found = problem(keyPositionOf(tree, ['services']), ['services'], message);
    return { place, manifest: null, problems: [found] };
  }

  const shape = checkShape(tree);
  const envFiles = readEnvFiles(tree, place.root);
  const found = [
    ...shape.problems,
    ...checkSemantics(tree, place.root),
    ...envFiles.problems,
    ...checkSupported(tree),
  ];
  if (found.length > 0 || shape.manifest === null)
    return { place, manifest: null, problems: sortProblems(found, place.local) };
  const manifest = resolveManifest({
    place,
    manifest: shape.manifest,
    tree,
    envFiles: envFiles.texts,
    callerEnv: query.env ?? process.env,
  });
  return { place, manifest, problems: [] };
}

/** Refuses containers, because a manifest whose containers are silently ignored would be worse. */
function checkSupported(tree: Tree): Problem[] {
  if (valueAt(tree, 'containers') === undefined) return [];
  const path = ['containers'];
  const found = problem(keyPositionOf(tree, path), path, 'not supported yet: containers');
  return [{ ...found, unsupported: true }];
}
