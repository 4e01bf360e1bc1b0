import { relative } from 'node:path';

/** A place in a file. Line and column start at 1; columns count UTF-16 units, as editors do. */
export interface Position {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Creates a function that finds the line and the column of an offset. Lines end with \n, \r\n or \r. */
export function positions(text: string, file: string): (offset: number) => Position {
  const starts = [0];
  for (const end of text.matchAll(/\r\n|\n|\r/g)) starts.push(end.index + end[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** The path to a value in the manifest: `['services', 'web', 'ports', 0]`. */
export type ValuePath = readonly (string | number)[];

/** One mistake in a manifest, with the place to correct. */
export interface Problem {
  readonly at: Position;
  readonly path: ValuePath;
  readonly message: string;
  /** The word that the author probably meant; null when no word is near. */
  readonly suggestion: string | null;
  /** True when the manifest is valid, but this version of devctl cannot do what it asks for. */
  readonly unsupported: boolean;
}

export function problem(
  at: Position,
  path: ValuePath,
  message: string,
  suggestion: string | null = null,
): Problem {
  return { at, path, message, suggestion, unsupported: false };
}

/**
 * Formats a problem as one line:
 * `.devctl.json:14:7  services.web.retsart: unknown key. Did you mean "restart"?`
 */
export function formatProblem(found: Problem, cwd: string): string {
  const { at, path, message, suggestion } = found;
  const where = `${relative(cwd, at.file) || at.file}:${at.line}:${at.column}`;
  const what = path.length > 0 ? `${formatPath(path)}: ${message}` : message;
  return suggestion === null
    ? `${where}  ${what}`
    : `${where}  ${what}. Did you mean "${suggestion}"?`;
}

/** Formats a path: `services.web.ports[0]`. Keys that would be misread are quoted: `env["a b"]`. */
export function formatPath(path: ValuePath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w$-]{1,64}$/.test(step)) text += `[${show(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** Formats a value for a message: on one line, and short. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 50)}…${typeof value === 'string' ? '"' : ''}` : text;
}

/**
 * Sorts problems by file and position: the manifest first, then the file that is merged over it.
 *
 * @param last the file whose problems come last
 */
export function sortProblems(problems: readonly Problem[], last: string | null): Problem[] {
  return problems.toSorted(
    (a, b) =>
      Number(a.at.file === last) - Number(b.at.file === last) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column,
  );
}
