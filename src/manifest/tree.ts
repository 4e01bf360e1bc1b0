import type { Position, ValuePath } from './problem.ts';

/**
 * A JSON value with the position of each of its parts. Objects are maps, so that keys such as `__proto__`
 * and `constructor` are ordinary keys.
 */
export type Tree = ObjectTree | ListTree | ScalarTree;

export interface ObjectTree {
  readonly kind: 'object';
  readonly at: Position;
  readonly entries: ReadonlyMap<string, TreeEntry>;
}

export interface ListTree {
  readonly kind: 'list';
  readonly at: Position;
  readonly items: readonly Tree[];
}

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly at: Position;
  readonly value: string | number | boolean | null;
}

export interface TreeEntry {
  readonly keyAt: Position;
  readonly value: Tree;
}

/**
 * Merges `over` into `base`. Objects are merged key by key, in depth; lists and scalars of `over` replace
 * those of `base`.
 */
export function mergeTrees(base: Tree, over: Tree): Tree {
  if (base.kind !== 'object' || over.kind !== 'object') return over;
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const below = base.entries.get(key);
    entries.set(
      key,
      below === undefined || below.value.kind !== 'object' || entry.value.kind !== 'object'
        ? entry
        : { keyAt: below.keyAt, value: mergeTrees(below.value, entry.value) },
    );
  }
  return { kind: 'object', at: base.at, entries };
}

/** Converts a tree to a plain value. Its objects have no prototype, so that no key can reach one. */
export function toValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toValue);
  const value: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) value[key] = toValue(entry.value);
  return value;
}

export function valueAt(tree: Tree | undefined, ...path: ValuePath): Tree | undefined {
  let current = tree;
  for (const step of path) {
    if (current?.kind === 'object') current = current.entries.get(String(step))?.value;
    else if (current?.kind === 'list') current = current.items[Number(step)];
    else return undefined;
  }
  return current;
}

/**
 * Returns the entries of an object. Any other value has no entries, so that broken manifests can be read.
 */
export function entriesOf(tree: Tree | undefined): ReadonlyMap<string, TreeEntry> {
  return tree?.kind === 'object' ? tree.entries : new Map();
}

/** Returns the items of a list. Any other value has no items. */
export function itemsOf(tree: Tree | undefined): readonly Tree[] {
  return tree?.kind === 'list' ? tree.items : [];
}

/** Returns the value of a scalar; undefined for anything else. */
export function scalarOf(tree: Tree | undefined): string | number | boolean | null | undefined {
  return tree?.kind === 'scalar' ? tree.value : undefined;
}

/** Finds the position of a value. For a missing value it is the position of the key that should hold it. */
export function positionOf(tree: Tree, path: ValuePath): Position {
  const found = valueAt(tree, ...path);
  if (found !== undefined) return found.at;
  return path.length === 0 ? tree.at : keyPositionOf(tree, path.slice(0, -1));
}

/**
 * Finds the position of the key of a value. Without a key (the root, an item of a list) it is the position
 * of the value.
 */
export function keyPositionOf(tree: Tree, path: ValuePath): Position {
  const key = path.at(-1);
  const parent = valueAt(tree, ...path.slice(0, -1));
  const entry = parent?.kind === 'object' ? parent.entries.get(String(key)) : undefined;
  return entry?.keyAt ?? positionOf(tree, path);
}
