/** The fields of an object; empty for any other value. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : {};
}

/** The value of a key of a table; undefined where only the prototype has it: `constructor`. */
export function ownValue<T>(table: Readonly<Record<string, T>>, key: unknown): T | undefined {
  return Object.hasOwn(table, String(key)) ? table[String(key)] : undefined;
}

/** A number or a truth value counts as its text; null for any other value than a scalar. */
export function textOfScalar(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** The tags of a map's values, by key, beside its keys, so that a reader that knows no tags sees a plain object. */
const TAGS = Symbol('tags');

/**
 * Returns the tag that the author gave a value of a map: compose's "!reset" and "!override".
 *
 * @returns null where it has none
 */
export function tagOf(map: object, key: string): string | null {
  const tags: unknown = Reflect.get(map, TAGS);
  return tags instanceof Map ? (tags.get(key) ?? null) : null;
}

/** Notes the tags of a map's values. */
export function setTags(map: object, tags: ReadonlyMap<string, string>): void {
  Object.defineProperty(map, TAGS, { value: tags, configurable: true });
}
