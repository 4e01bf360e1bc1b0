// The bundle takes jsonc-parser's ESM build (esbuild: mainFields has module before main). Node itself takes
// the UMD build, whose names it can see too.
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { SMALLEST_MANIFEST } from './locate.ts';
import {
  type Position,
  type Problem,
  positions,
  problem,
  show,
  type ValuePath,
} from './problem.ts';
import { readSource } from './source.ts';
import type { Tree, TreeEntry } from './tree.ts';

/**
 * The content of a file. A broken file still gives `tree`, the part that could be read, if there is one.
 */
export interface Parsed {
  readonly tree: Tree | null;
  /** Empty when the file is well-formed JSON (with comments and trailing commas). */
  readonly problems: readonly Problem[];
}

/** A text that begins as a YAML file does: comments, `---`, and a key without quotes. */
const YAML = /^(\uFEFF?(\s*#.*|---.*|\s*)\n)*[A-Za-z_][\w-]*:(\s|$)/;
const MAX_DEPTH = 50;
const MOST_SYNTAX_PROBLEMS = 20;

/** Reads and parses one file. Problems are in the result; it never throws. */
export function parseFile(file: string): Parsed {
  const source = readSource(file);
  if (source.kind === 'text') return parseText(source.text, file);
  const where = positions(source.before, file)(source.before.length);
  return { tree: null, problems: [problem(where, [], source.why)] };
}

/** Parses JSON with comments and trailing commas. Every problem has its position. */
export function parseText(text: string, file: string): Parsed {
  const position = positions(text, file);
  const fail = (offset: number, message: string): Parsed => ({
    tree: null,
    problems: [problem(position(offset), [], message)],
  });
  const errors: ParseError[] = [];
  try {
    const node = parseTree(text, errors, { allowTrailingComma: true });
    // The parser met the end of the file instead of a value: the file is blank, or has only comments.
    if (node === undefined && errors.length === 1 && errors[0]?.length === 0)
      return fail(0, `is empty. The smallest manifest: ${SMALLEST_MANIFEST}`);
    if (errors.length > 0 && YAML.test(text))
      return fail(0, `is YAML, and devctl reads JSON, with comments: ${SMALLEST_MANIFEST}`);
    const found = errors.length > 0 ? syntaxProblems(errors, text, position) : [];
    const tree = node === undefined ? null : toTree(node, [], position, found);
    return { tree, problems: found };
  } catch (error) {
    if (error instanceof TooDeep) return fail(error.offset, TOO_DEEP);
    // jsonc-parser recurses for each level, so deeply nested brackets overflow the stack.
    if (error instanceof RangeError) return fail(0, TOO_DEEP);
    throw error;
  }
}

const TOO_DEEP = `is nested more than ${MAX_DEPTH} levels deep`;

class TooDeep extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super(TOO_DEEP);
    this.offset = offset;
  }
}

function toTree(
  node: Node,
  path: ValuePath,
  position: (offset: number) => Position,
  found: Problem[],
): Tree {
  if (path.length > MAX_DEPTH) throw new TooDeep(node.offset);
  const at = position(node.offset);
  const children = node.children ?? [];
  if (node.type === 'array') {
    const items = children.map((item, index) => toTree(item, [...path, index], position, found));
    return { kind: 'list', at, items };
  }
  if (node.type !== 'object') return { kind: 'scalar', at, value: node.value ?? null };
  const entries = new Map<string, TreeEntry>();
  for (const { children: [keyNode, valueNode] = [] } of children) {
    if (keyNode === undefined || valueNode === undefined) continue;
    const key = String(keyNode.value);
    const keyAt = position(keyNode.offset);
    const first = entries.get(key);
    if (first !== undefined)
      found.push(problem(keyAt, [...path, key], `given twice, first in line ${first.keyAt.line}`));
    entries.set(key, { keyAt, value: toTree(valueNode, [...path, key], position, found) });
  }
  return { kind: 'object', at, entries };
}

/**
 * Keeps the first problem of each line. The parser continues after an error, and the other errors of the
 * line mostly follow from the first.
 */
function syntaxProblems(
  errors: readonly ParseError[],
  text: string,
  position: (offset: number) => Position,
): Problem[] {
  const byLine = new Map<number, Problem>();
  for (const { error, offset, length } of errors) {
    const where = position(offset);
    const seen = describeToken(text.slice(offset, offset + length), text.slice(offset + length));
    if (!byLine.has(where.line) && byLine.size < MOST_SYNTAX_PROBLEMS)
      byLine.set(where.line, problem(where, [], explainSyntax(error, seen)));
  }
  return [...byLine.values()];
}

/**
 * Describes a token in words. It does not show a value, because the value may be a secret that lacks its
 * quotes.
 */
function describeToken(seen: string, after: string): string {
  const isName = /^\s*:/.test(after);
  if (seen.trim() === '') return 'the end of the file';
  if (seen.startsWith("'")) return SINGLE_QUOTED;
  if (isName || !/[\w"\u0080-\uffff]/.test(seen)) return show(seen);
  return seen.startsWith('"') ? 'a text' : 'a word or number';
}

const SINGLE_QUOTED = 'a text in single quotes';

function explainSyntax(error: ParseError['error'], seen: string): string {
  const before = ` before ${seen}`;
  switch (printParseErrorCode(error)) {
    case 'InvalidSymbol':
      return seen === SINGLE_QUOTED
        ? 'names and text are written in double quotes, not in single ones'
        : `${seen} is not JSON: names and text are written in double quotes`;
    case 'PropertyNameExpected':
      return `expected a key in double quotes${before}`;
    case 'ValueExpected':
      return `expected a value${before}`;
    case 'ColonExpected':
      return `expected ":" after the key${before}`;
    case 'CommaExpected':
      return `expected ","${before}`;
    case 'CloseBraceExpected':
      return `expected "}"${before}`;
    case 'CloseBracketExpected':
      return `expected "]"${before}`;
    case 'EndOfFileExpected':
      return `expected the end of the file${before}`;
    case 'UnexpectedEndOfComment':
      return 'this comment is never closed with */';
    case 'UnexpectedEndOfString':
      return 'this text is not closed with a double quote in its line';
    case 'InvalidNumberFormat':
    case 'UnexpectedEndOfNumber':
      return 'this is not a number in JSON';
    case 'InvalidUnicode':
      return 'this text holds a \\u that is not followed by four hex digits';
    case 'InvalidEscapeCharacter':
      return 'this text holds an unknown escape: a backslash is written \\\\';
    case 'InvalidCharacter':
      return 'this text holds a control character: write it as an escape such as \\n or \\t';
    default:
      return 'is not JSON';
  }
}

/**
 * Adds a property to the object of a key at the top of a text, which must be well-formed. An object that is missing is
 * added too. Everything else stays as it is.
 *
 * @param value JSON on one line
 */
export function withProperty(text: string, key: string, name: string, value: string): string {
  const root = parseTree(text, [], { allowTrailingComma: true });
  const object = root?.children?.find(({ children }) => children?.[0]?.value === key)
    ?.children?.[1];
  if (root?.type === 'object' && object === undefined) {
    const start = root.offset + 1;
    const added = `\n  ${JSON.stringify(key)}: { ${JSON.stringify(name)}: ${value} },`;
    const rest = text.slice(start);
    return `${text.slice(0, start)}${added}${/^\s/.test(rest) ? '' : '\n  '}${rest}`;
  }
  if (object?.type !== 'object') throw new Error(`there is no object called ${key}`);
  const last = object.children?.at(-1);
  const at = last ? last.offset + last.length : object.offset + 1;
  const line = text.slice(text.lastIndexOf('\n', last?.offset ?? 0) + 1, last?.offset ?? 0);
  const indent = /^\s*$/.test(line) ? `\n${line}` : ' ';
  const added = `${last ? ',' : ''}${indent}${JSON.stringify(name)}: ${value}`;
  return `${text.slice(0, at)}${added}${text.slice(at)}`;
}
