import type { ManifestPlace } from './locate.ts';
import { type Parsed, parseFile } from './parse.ts';
import { type Problem, problem, show, sortProblems } from './problem.ts';
import { mergeTrees, type Tree } from './tree.ts';

/**
 * Reads the manifest and merges `.devctl.local.json` over it, as far as both can be read. With problems
 * there may still be a tree, of the parts that could be read.
 */
export function readTree(place: ManifestPlace): Parsed {
  const base = readObject(place.file);
  if (place.local === null) return base;
  const local = readObject(place.local);
  const problems = sortProblems([...base.problems, ...local.problems], place.local);
  if (base.tree === null || local.tree === null) return { tree: base.tree ?? local.tree, problems };
  return { tree: mergeTrees(base.tree, local.tree), problems };
}

function readObject(file: string): Parsed {
  const parsed = parseFile(file);
  if (parsed.tree === null || parsed.tree.kind === 'object') return parsed;
  const { problems } = parsed;
  return { tree: null, problems: problems.length > 0 ? problems : [noObject(parsed.tree)] };
}

function noObject(tree: Tree): Problem {
  const got = tree.kind === 'list' ? 'a list' : show(tree.kind === 'scalar' ? tree.value : {});
  return problem(tree.at, [], `expected an object such as {"services": {…}}, got ${got}`);
}
