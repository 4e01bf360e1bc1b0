import { fieldsOf, tagOf, textOfScalar } from '../plain-values.ts';

/** A map of a compose file. */
export type Fields = Readonly<Record<string, unknown>>;

/** Replaces `$NAME`, `${NAME}`, `${NAME:-default}` as compose does. */
export type Interpolate = (text: string) => string;

/** Compose's tag of a value that takes away what earlier files say; the value itself counts for nothing. */
export const RESET = '!reset';
/** Compose's tag of a value that replaces what earlier files say, and is not joined with it. */
export const OVERRIDE = '!override';

/** A network or a volume at the top of compose files. */
export interface ComposeThing {
  /** True where it is somebody else's, so that compose does not make it. One file that says so is enough. */
  readonly isExternal: boolean;
  /** Its definition as compose must read it once more, with variables: see `overrideText`. */
  readonly definition: Fields;
}

/** Reads the networks or volumes of several compose files, by their names. */
export function joinThings(
  files: readonly Fields[],
  key: 'networks' | 'volumes',
  interpolate: Interpolate,
): ReadonlyMap<string, ComposeThing> {
  const all = new Map<string, { readonly joined: Fields; readonly last: Fields }>();
  for (const file of files) {
    const named = fieldsOf(file[key]);
    for (const [name, value] of Object.entries(named)) {
      const tag = tagOf(named, name);
      const given = fieldsOf(value);
      const last = withoutReset(given, given);
      const before = tag === OVERRIDE ? {} : withoutReset(all.get(name)?.joined ?? {}, given);
      if (tag === RESET) all.delete(name);
      else all.set(name, { joined: { ...before, ...last }, last });
    }
  }
  return new Map(
    [...all].map(([name, { joined, last }]) => {
      const isExternal = isTrue(joined.external, interpolate);
      return [name, { isExternal, definition: isExternal ? externalOne(joined) : ownOne(last) }];
    }),
  );
}

/** Leaves out the keys of these fields that a file resets. */
export function withoutReset(fields: Fields, file: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => tagOf(file, key) !== RESET));
}

/** Compose 1.29 takes only the last definition, which would make a network of its own where an earlier file says external. */
function externalOne({ external, name }: Fields): Fields {
  const how = Object.keys(fieldsOf(external)).length > 0 ? external : true;
  return { external: how, ...(name !== undefined && { name }) };
}

/** The keys whose value is true or false, also as "yes" or "off", which YAML had before its version 1.2. */
const TRUTHS: ReadonlySet<string> = new Set(['attachable', 'enable_ipv6', 'internal']);

function ownOne({ external: _external, ...definition }: Fields): Fields {
  const entries = Object.entries(definition).map(([key, value]) => {
    const isWord = TRUTHS.has(key) && typeof value === 'string' && !value.includes('$');
    return [key, isWord ? isTrue(value, String) : value];
  });
  return Object.fromEntries(entries);
}

function isTrue(value: unknown, interpolate: Interpolate): boolean {
  if (value === undefined || value === null) return false;
  const text = textOfScalar(value);
  return text === null || !/^(n|no|off|false|)$/i.test(interpolate(text));
}
