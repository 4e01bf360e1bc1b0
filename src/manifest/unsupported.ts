import type { Problem, ValuePath } from './problem.ts';
import { keyPositionOf, type Tree, at as valueAt } from './tree.ts';

/**
 * What the manifest asks for and this version cannot do. It is refused: containers that are silently
 * ignored are worse than none.
 */
export function checkSupported(tree: Tree): Problem[] {
  return [...ofProject(tree)].map(([path, what]) => ({
    at: keyPositionOf(tree, path),
    path,
    message: `not supported yet: ${what}`,
    suggestion: null,
    unsupported: true,
  }));
}

type Refusal = readonly [path: ValuePath, what: string];

function* ofProject(tree: Tree): Generator<Refusal> {
  const has = (...path: string[]) => valueAt(tree, ...path) !== undefined;
  if (has('containers')) yield [['containers'], 'containers'];
}
