/** A piece of a regular expression of JavaScript, without the flags u and v. */
export type PatternTree =
  /** One UTF-16 unit. `source` describes it and stands on its own: `a`, `\d`, `[^/]`, `.`. */
  | { readonly kind: 'unit'; readonly source: string }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternTree[] }
  | { readonly kind: 'choice'; readonly options: readonly PatternTree[] }
  | {
      readonly kind: 'repeat';
      readonly body: PatternTree;
      readonly min: number;
      /** Infinity where there is no limit. */
      readonly max: number;
    }
  | { readonly kind: 'edge'; readonly at: Edge }
  | {
      readonly kind: 'look';
      readonly ahead: boolean;
      readonly negated: boolean;
      readonly body: PatternTree;
    }
  /** A piece that only the engine of JavaScript knows: a back-reference, or a group with flags of its own. */
  | { readonly kind: 'foreign'; readonly source: string; readonly body: PatternTree };

/** A place in a text that takes no character. */
export type Edge = '^' | '$' | '\\b' | '\\B';

/**
 * Parses a regular expression without flags, or with `i`.
 *
 * @param source is valid: `new RegExp(source)` has not thrown. So every mistake is a legacy form that the language
 *   reads as text (ECMA-262, annex B.1.2), and this parser does too.
 */
export function parsePattern(source: string): PatternTree {
  // A class and an escape may hold a bracket that opens no group.
  const opened = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gs, '');
  const hasNames = /\(\?<(?![=!])/.test(opened);
  const groups = opened.match(/\((?!\?)|\(\?<(?![=!])/g)?.length ?? 0;
  return readChoice({ source, at: 0, groups, hasNames });
}

interface Cursor {
  readonly source: string;
  at: number;
  /** Number of groups in the whole source that a back-reference can mean. */
  readonly groups: number;
  /** True when groups have names, which makes `\k` a back-reference. */
  readonly hasNames: boolean;
}

function readChoice(cursor: Cursor): PatternTree {
  const first = readSequence(cursor);
  const options = [first];
  while (take(cursor, /\|/y)) options.push(readSequence(cursor));
  return options.length === 1 ? first : { kind: 'choice', options };
}

function readSequence(cursor: Cursor): PatternTree {
  const parts: PatternTree[] = [];
  while (/[^|)]/.test(cursor.source.charAt(cursor.at))) parts.push(readTerm(cursor));
  return { kind: 'sequence', parts };
}

function readTerm(cursor: Cursor): PatternTree {
  const body = readPiece(cursor);
  const quantifier = take(cursor, /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y);
  if (!quantifier) return body;
  const [, sign, from = '', comma, to = ''] = quantifier;
  if (sign !== undefined)
    return { kind: 'repeat', body, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Infinity };
  const min = Number(from);
  const max = comma === undefined ? min : to === '' ? Infinity : Number(to);
  return { kind: 'repeat', body, min, max };
}

/** Reads what a quantifier can follow. */
function readPiece(cursor: Cursor): PatternTree {
  const edge = take(cursor, /\^|\$|\\[bB]/y);
  if (edge) return { kind: 'edge', at: edge[0] as Edge };
  const opening = take(cursor, /\((?:\?(?:<?[=!]|<[^>]*>|[^:]*:))?/y);
  if (opening) return readGroup(cursor, opening[0]);
  const reference = takeBackReference(cursor);
  if (reference) return { kind: 'foreign', source: reference, body: NOTHING };
  const source = take(cursor, UNIT)?.[0] ?? '';
  // `\c` without a letter behind it is a backslash and a c.
  return { kind: 'unit', source: source === '\\' ? '\\\\' : source };
}

const NOTHING: PatternTree = { kind: 'sequence', parts: [] };

/** @param opening the beginning of the group: `(`, `(?:`, `(?<name>`, `(?=`, `(?<!` or `(?i:` */
function readGroup(cursor: Cursor, opening: string): PatternTree {
  const body = readChoice(cursor);
  take(cursor, /\)/y);
  const look = /^\(\?(<?)([=!])/.exec(opening);
  if (look) return { kind: 'look', ahead: look[1] === '', negated: look[2] === '!', body };
  return /^\(\?[^<:]/.test(opening) ? { kind: 'foreign', source: opening, body } : body;
}

function takeBackReference(cursor: Cursor): string | null {
  const { at } = cursor;
  const [text, number] = take(cursor, /\\(?:([1-9]\d*)|k<[^>]*>)/y) ?? [];
  if (text === undefined) return null;
  if (number === undefined ? cursor.hasNames : Number(number) <= cursor.groups) return text;
  cursor.at = at;
  return null;
}

/**
 * The source of one UTF-16 unit: a class, an escape or a character. A backslash and digits that refer to no group are
 * an octal number.
 */
const UNIT =
  /\[(?:\\.|[^\]\\])*\]|\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[a-zA-Z]|[0-3][0-7]{0,2}|[4-7][0-7]?|(?!c).)|./sy;

/** Moves on behind the text that `form` matches here; null where it matches nothing here. */
function take(cursor: Cursor, form: RegExp): RegExpExecArray | null {
  form.lastIndex = cursor.at;
  const found = form.exec(cursor.source);
  if (found) cursor.at = form.lastIndex;
  return found;
}
