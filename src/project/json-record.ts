import { asObject, isCount, parseJson } from './field-checks.ts';
import type { RecordProblem } from './record-problem.ts';
import { type FileRead, readOwnFile } from './safe-file.ts';

/** A JSON object from disk whose fields have not been checked. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** The result of reading a file of `.pids`. A problem is reported, never thrown: see `RecordProblem`. */
export type RecordRead<Record> =
  | { readonly kind: 'record'; readonly record: Record }
  | { readonly kind: 'missing' }
  | { readonly kind: 'problem'; readonly problem: RecordProblem };

/** How to read one kind of record. */
interface RecordFormat<Record> {
  /** The service that the file name names; missing: it names none. */
  readonly service?: string;
  /** @returns the record, or in words why the fields are not one */
  parse(fields: JsonFields): Record | string;
  /** Says why the record belongs to another project; null: it is ours. */
  whyForeign?(record: Record): string | null;
}

/** Reads one record of schema 1. Never throws for a bad file: it becomes a problem. */
export function readJsonRecord<Record extends object>(
  path: string,
  format: RecordFormat<Record>,
): RecordRead<Record> {
  const problem = (kind: RecordProblem['kind'], reason: string): RecordRead<Record> => ({
    kind: 'problem',
    problem: { path, service: format.service ?? null, kind, reason },
  });
  const file = readOwnFile(path);
  if (file.kind === 'missing') return file;
  if (file.kind === 'refused') return problem('refused', file.reason);
  const fields = fieldsOf(file);
  if (!fields) return problem('corrupt', 'not a JSON object');
  if (isCount(fields.schema) && fields.schema > 1) {
    return problem('newer', `schema ${fields.schema}: written by a later devctl`);
  }
  const record = format.parse(fields);
  if (typeof record === 'string') return problem('corrupt', record);
  const foreign = format.whyForeign?.(record) ?? null;
  return foreign === null ? { kind: 'record', record } : problem('foreign', foreign);
}

/**
 * Reads a JSON object that no decision depends on.
 *
 * @param limit largest size in bytes
 * @returns null when it is missing or cannot be read
 */
export function readJsonFields(path: string, limit?: number): JsonFields | null {
  const file = readOwnFile(path, limit);
  return file.kind === 'content' ? fieldsOf(file) : null;
}

function fieldsOf(file: Extract<FileRead, { kind: 'content' }>): JsonFields | null {
  return asObject(parseJson(file.bytes));
}
