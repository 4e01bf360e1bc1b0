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
