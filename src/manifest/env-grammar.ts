import { type Position, type Problem, positions, problem } from './problem.ts';

/** The lines of an env file that set a variable, in their order, and the lines that cannot be read. */
export interface ParsedEnvFile {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly Problem[];
}

export interface Assignment {
  readonly name: string;
  /** Pieces of the value: plain text, and references to other variables. */
  readonly value: readonly ValuePart[];
}

export type ValuePart = string | Reference;

/** `$NAME`, or one of the forms of `${NAME…}`. */
export interface Reference {
  readonly name: string;
  /** The place of its dollar. */
  readonly at: Position;
  /** Null: the value of the variable, or nothing. */
  readonly otherwise: Otherwise | null;
}

/** The value that replaces a variable that is not set, or the error that says that it is required. */
export type Otherwise = {
  /** True: also where the variable is set, and empty (`:-` and `:?`). */
  readonly emptyToo: boolean;
} & (
  | { readonly kind: 'default'; readonly value: readonly ValuePart[] }
  | { readonly kind: 'required'; readonly text: string }
);

/** Most problems of a kind that are told of one file, because a file of another kind has one in each line. */
export const MOST_PROBLEMS = 20;
const DEEPEST = 20;

/**
 * Parses an env file. The grammar is ours, so that a file means the same whichever Node runs devctl:
 *
 * - A line is `NAME=value`, with or without `export`, blank, or a comment that begins with `#`.
 * - A value has no quotes, or is wholly in single or double quotes, which may span lines. Behind a value
 *   without quotes, a comment begins with a blank and `#`.
 * - Single quotes know only `\'`. Double quotes know `\n`, `\r`, `\t`, `\\`, `\"` and `\$`. Without quotes
 *   there is only `\$`. Any other backslash stays.
 * - But for single quotes, `$NAME` and `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?text}` and
 *   `${NAME?text}` are replaced, and defaults may hold others. `$$` is a dollar, and so is a `$` that begins
 *   no name.
 *
 * Docker Compose documents most of it so; `K: v` and `${NAME:+x}`, which it knows too, are refused here. A
 * message never shows a word of the file, because the word may be a secret.
 */
export function parseEnvFile(text: string, file: string): ParsedEnvFile {
  const source = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const position = positions(source, file);
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  for (let at = 0; at < source.length && problems.length < MOST_PROBLEMS; ) {
    try {
      const { assignment, end } = readStatement({ source, position }, at);
      if (assignment) assignments.push(assignment);
      at = end;
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      problems.push(problem(position(error.offset), [], error.message));
      at = error.resume ?? lineEnd(source, error.offset) + 1;
    }
  }
  return { assignments, problems };
}

/** A text that is no part of the grammar. */
class Misread extends Error {
  readonly offset: number;
  /** Where the next line begins; null: it is the next line of the text. */
  readonly resume: number | null;
  constructor(offset: number, message: string, resume: number | null = null) {
    super(message);
    this.offset = offset;
    this.resume = resume;
  }
}

interface Input {
  readonly source: string;
  readonly position: (offset: number) => Position;
}

/** The rest of a line that says nothing. */
const NOTHING = /[^\S\n]*(?:#[^\n]*)?(?:\n|$)/y;
const NAME = /[^\S\n]*(?:export[^\S\n]+)?([\p{L}\p{N}_.-]+)[^\S\n]*/uy;
const BLANKS = /[^\S\n]*/y;

function readStatement(
  input: Input,
  from: number,
): { readonly assignment: Assignment | null; readonly end: number } {
  const { source } = input;
  const nothing = matchAt(NOTHING, source, from);
  if (nothing) return { assignment: null, end: nothing.end };
  const head = matchAt(NAME, source, from);
  if (!head || source[head.end] !== '=') throw noAssignment(source, from, head?.end);
  const [, name = ''] = head.match;
  const start = matchAt(BLANKS, source, head.end + 1)?.end ?? head.end + 1;
  const { value, end } = readValue(input, start);
  return { assignment: { name, value }, end };
}

function noAssignment(source: string, from: number, afterName: number | undefined): Misread {
  const start = matchAt(BLANKS, source, from)?.end ?? from;
  if (source[start] === '=') return new Misread(start, 'a name is missing before "="');
  if (afterName === undefined) return new Misread(start, 'expected NAME=value, or # and a comment');
  if (matchAt(NOTHING, source, afterName))
    return new Misread(start, 'a name alone sets nothing: write NAME=value, or NAME= for nothing');
  return new Misread(afterName, 'expected "=" after the name');
}

interface Read {
  readonly value: readonly ValuePart[];
  readonly end: number;
}

function readValue(input: Input, start: number): Read {
  switch (input.source[start]) {
    case "'":
    case '"':
      return readQuoted(input, start);
    // dotenv and Node take it for a quote, Docker Compose and a shell do not.
    case '`':
      throw new Misread(start, 'a value cannot begin with a backtick: use single or double quotes');
    default:
      return readPlain(input, start);
  }
}

function readQuoted(input: Input, start: number): Read {
  const { source, position } = input;
  const quote = source[start] ?? '';
  const close = closingQuote(source, start + 1, quote);
  if (close === null) throw new Misread(start, 'this quote is never closed');
  const rest = matchAt(NOTHING, source, close + 1);
  if (!rest) {
    const { line } = position(start);
    const began = line === position(close).line ? '' : ` of the value that began in line ${line}`;
    const next = matchAt(BLANKS, source, close + 1)?.end ?? close + 1;
    const message = `expected the end of the line after the closing quote${began}; within quotes, write \\${quote}`;
    throw new Misread(next, message);
  }
  const inner = source.slice(start + 1, close);
  const value =
    quote === "'"
      ? [inner.replaceAll("\\'", "'")]
      : readParts(
          { ...input, escapes: DOUBLE_QUOTED, limit: close, next: rest.end },
          start + 1,
          never,
        ).value;
  return { value, end: rest.end };
}

function closingQuote(source: string, from: number, quote: string): number | null {
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === quote) return at;
    if (source[at] === '\\' && (quote === '"' || source[at + 1] === quote)) at += 1;
  }
  return null;
}

function readPlain(input: Input, start: number): Read {
  const { source } = input;
  const limit = lineEnd(source, start);
  const isComment = (at: number): boolean =>
    source[at] === '#' && /[^\S\n]/.test(source[at - 1] ?? '');
  const expanded = { ...input, escapes: PLAIN, limit, next: limit + 1 };
  const { value } = readParts(expanded, start, isComment);
  const last = value.at(-1);
  const trimmed = typeof last === 'string' ? [...value.slice(0, -1), last.trimEnd()] : value;
  return { value: trimmed, end: limit + 1 };
}

type Escapes = ReadonlyMap<string, string>;

const DOUBLE_QUOTED: Escapes = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['\\', '\\'],
  ['"', '"'],
  ['$', '$'],
]);
const PLAIN: Escapes = new Map([['$', '$']]);

/** A text that is expanded, up to `limit`. */
interface Expanded extends Input {
  readonly escapes: Escapes;
  readonly limit: number;
  /** Where the line after this value begins. */
  readonly next: number;
}

/** @param depth number of `${…}` around this text */
function readParts(input: Expanded, from: number, isEnd: (at: number) => boolean, depth = 0): Read {
  const { source, escapes, limit } = input;
  const value: ValuePart[] = [];
  let text = '';
  let at = from;
  while (at < limit && !isEnd(at)) {
    const character = source[at] ?? '';
    const escaped = character === '\\' ? escapes.get(source[at + 1] ?? '') : undefined;
    const isDollar = character === '$' && source[at + 1] === '$';
    const reference = character === '$' && !isDollar ? readReference(input, at, depth) : null;
    if (reference) {
      value.push(text, reference.part);
      text = '';
      at = reference.end;
    } else {
      text += escaped ?? character;
      at += escaped !== undefined || isDollar ? 2 : 1;
    }
  }
  value.push(text);
  return { value: value.filter((part) => part !== ''), end: at };
}

const BARE_REFERENCE = /\$([A-Za-z_]\w*)/y;
const BRACED_REFERENCE = /\$\{([A-Za-z_]\w*)(\}|:?[-?])/y;
const KNOWN_FORMS =
  '$' +
  '{…} must be $' +
  '{NAME}, $' +
  '{NAME:-default}, $' +
  '{NAME-default}, $' +
  '{NAME:?text} or $' +
  '{NAME?text}; a plain dollar is $$';

/** @returns null where the dollar begins no name, and stays */
function readReference(
  input: Expanded,
  from: number,
  depth: number,
): { readonly part: Reference; readonly end: number } | null {
  const { source, position, limit, next } = input;
  const at = position(from);
  const bare = matchAt(BARE_REFERENCE, source, from);
  if (bare) return { part: { name: bare.match[1] ?? '', at, otherwise: null }, end: bare.end };
  if (source[from + 1] !== '{') return null;
  const braced = matchAt(BRACED_REFERENCE, source, from);
  if (!braced || braced.end > limit) throw new Misread(from, KNOWN_FORMS, next);
  const [, name = '', operator = ''] = braced.match;
  if (operator === '}') return { part: { name, at, otherwise: null }, end: braced.end };
  if (depth >= DEEPEST) {
    throw new Misread(from, `this reference is nested more than ${DEEPEST} levels deep`, next);
  }
  const isBrace = (offset: number): boolean => source[offset] === '}';
  const { value, end } = readParts(input, braced.end, isBrace, depth + 1);
  if (end >= limit) throw new Misread(from, 'this reference is never closed with }', next);
  const emptyToo = operator.startsWith(':');
  const otherwise: Otherwise = operator.endsWith('-')
    ? { kind: 'default', emptyToo, value }
    : { kind: 'required', emptyToo, text: source.slice(braced.end, end) };
  return { part: { name, at, otherwise }, end: end + 1 };
}

function never(): boolean {
  return false;
}

/** Matches a sticky expression at an offset. */
function matchAt(
  expression: RegExp,
  source: string,
  offset: number,
): { readonly match: RegExpExecArray; readonly end: number } | null {
  expression.lastIndex = offset;
  const match = expression.exec(source);
  return match && { match, end: expression.lastIndex };
}

function lineEnd(source: string, from: number): number {
  const end = source.indexOf('\n', from);
  return end < 0 ? source.length : end;
}
