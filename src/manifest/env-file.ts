import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type Problem, problem, show, type ValuePath } from './problem.ts';
import { readSource } from './source.ts';
import { entriesOf, itemsOf, scalarOf, type Tree, valueAt } from './tree.ts';

/** Variables by name; an object without a prototype, or one that is only read by own keys. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The text of every env file of the manifest by absolute path, and what could not be read. */
export interface EnvFiles {
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Reads each env file that the project or a service names, once. */
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
 * The variables of an env file: NAME=value lines as `util.parseEnv` reads them, in which `$NAME`,
 * `${NAME}` and `${NAME:-default}` are replaced. `\$` is a plain dollar, and nothing is replaced in
 * single quotes. A name that nobody has set is empty, as in a shell.
 *
 * @param outer looked up in turn after what came before in the file
 */
export function expandEnvFile(text: string, outer: readonly Variables[]): Variables {
  const parsed = parseEnv(text);
  // parseEnv forgets the order of the lines (Node 20 sorts the names) and the quotes.
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
    // As in a shell: ":-" also stands in for what is set but empty.
    return scope?.[name] || otherwise;
  });
}
