import type { Problem, ValuePath } from './problem.ts';
import { entriesOf, keyPositionOf, type Tree, at as valueAt } from './tree.ts';

/**
 * What the manifest asks for and this version cannot do. It is refused: a limit or a restart policy
 * that is silently ignored is worse than none.
 */
export function checkSupported(tree: Tree): Problem[] {
  const services = [...entriesOf(valueAt(tree, 'services')).keys()];
  const refusals: Refusal[] = [...ofProject(tree)];
  for (const name of services) refusals.push(...ofService(tree, ['services', name]));
  return refusals.map(([path, what]) => ({
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
  if (has('limits')) yield [['limits'], 'limits on what services may use'];
  if (has('containers')) yield [['containers'], 'containers'];
}

function* ofService(tree: Tree, path: ValuePath): Generator<Refusal> {
  const find = (...inside: ValuePath) => valueAt(tree, ...path, ...inside);
  if (find('limits') !== undefined) yield [[...path, 'limits'], 'limits on what a service may use'];
}
