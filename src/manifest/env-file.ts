import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type Problem, problem, show, type ValuePath } from './problem.ts';
import { readSource } from './source.ts';
import { entriesOf, itemsOf, scalarOf, type Tree, valueAt } from './tree.ts';

/** Variables by name. The object has no prototype, or only its own keys are read. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The texts of the env files by absolute path, and the problems of reading them. */
export interface EnvFiles {
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Reads every env file that the project or a service names. Each file is read once. */
export function readEnvFiles(tree: Tree, root: string): EnvFiles {
  const texts = new Map<string, string>();
  const services = [...entriesOf(valueAt(tree, 'services')).keys()];
  const places = [['envFile'], ...services.map((name) => ['services', name, 'envFile'])];
  const problems = places.flatMap((path) =>
    namesAt(tree, path).flatMap(({ name, path: where, value }) => {
      const file = resolve(root, name);
      if (texts.has(file)) return [];
      const source = readSource(file);
      const why = source.kind === 'unreadable' ? source.why : 'holds a NUL character';
      if (source.kind === 'text' && !source.text.includes('\0')) {
        texts.set(file, source.text);
        return [];
      }
      const tilde = name.startsWith('~') ? '; "~" is not replaced' : '';
      const message = `${show(name)} ${why} (relative to the manifest${tilde})`;
      return [problem(value.at, where, message)];
    }),
  );
  return { texts, problems };
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
 * Parses an env file: lines of NAME=value, as `util.parseEnv` reads them. It replaces `$NAME`, `${NAME}`
 * and `${NAME:-default}`, but not in single quotes; `\$` is a plain dollar. A variable that is not set is
 * empty, as in a shell.
 *
 * @param outer scopes to search, in this order, after the earlier variables of the file
 */
export function expandEnvFile(text: string, outer: readonly Variables[]): Variables {
  const parsed = parseEnv(text);
  // parseEnv loses the order of the lines (Node 20 sorts the names) and the quotes.
  const literal = new Map<string, boolean>();
  for (const [, name = '', quote] of text.matchAll(ASSIGNMENT)) literal.set(name, quote === "'");
  const names = new Set([...literal.keys(), ...Object.keys(parsed)]);
  const variables: Record<string, string> = Object.create(null);
  for (const name of names) {
    const value = Object.hasOwn(parsed, name) ? parsed[name] : undefined;
    if (value === undefined) continue;
    variables[name] = literal.get(name) ? value : expand(value, [variables, ...outer]);
  }
  return variables;
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*('?)/gm;
const REFERENCE = /\\\$|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::-([^}]*))?\})/g;

function expand(value: string, scopes: readonly Variables[]): string {
  return value.replace(REFERENCE, (whole, bare?: string, braced?: string, otherwise = '') => {
    if (whole === '\\$') return '$';
    const name = bare ?? braced ?? '';
    const scope = scopes.find((candidate) => Object.hasOwn(candidate, name));
    // As in a shell, the default also replaces an empty value.
    return scope?.[name] || otherwise;
  });
}
