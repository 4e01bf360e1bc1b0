/*
 * The regular expressions of the user: `ready.log`, `live.log`, `sweep`, `protect`, `logs --grep`.
 *
 *   pattern         reads one, and tests texts with it in a bounded time
 *   syntax          parses it to a tree
 *   cost            bounds the work of the engine of JavaScript, and the size of an automaton
 *   required-text   the text that each match contains
 *   automaton       matches a text of any length
 *   alphabet        the units that the automaton tells apart
 *
 * The engine of JavaScript goes back and tries again: `.*listening` takes it seconds for a line of 60 KB, and `(a+)+$` takes
 * for ever. So it gets a text only if the text is short enough for the pattern. The automaton gets all others.
 */
import { type Automaton, createAutomaton } from './automaton.ts';
import { foreignPiece, looksOf, sizeOf, waysOf } from './cost.ts';
import { requiredText } from './required-text.ts';
import { type PatternTree, parsePattern } from './syntax.ts';

/** A regular expression that takes a bounded time, whatever the text is. */
export interface UserPattern {
  readonly source: string;
  /** Tells whether it matches anywhere in a text; null when a bounded time is too short to tell. */
  test(text: string): boolean | null;
}

export type PatternReading =
  | { readonly kind: 'pattern'; readonly pattern: UserPattern }
  /** `why` follows the source in a message. 'unbounded': it is valid, but may take for ever. */
  | { readonly kind: 'invalid' | 'unbounded'; readonly why: string };

/** Most characters of a pattern, because the parser recurses for each group. */
const MOST_CHARACTERS = 2_000;
/** Most units of a pattern whose repetitions are written out, so that an automaton can search a text of 1,000 units. */
const MOST_UNITS = 1_000;
/**
 * Most lookarounds of a pattern whose repetitions are written out. An automaton keeps their answers and those of the four
 * edges as the bits of one number, and a number holds 53 bits (ECMA-262, Number.MAX_SAFE_INTEGER).
 */
const MOST_LOOKS = 49;
/** Most steps of the engine of JavaScript for one text, which take about 2 ms. */
const MOST_TRIES = 1_000_000;
/** The shortest text, in units, that the engine must be able to search with a pattern that has no automaton. */
const SHORTEST = 256;

/**
 * Reads a regular expression of the user, or says why it is refused.
 *
 * @param flags `i`: upper and lower case are the same
 */
export function readPattern(source: string, flags: '' | 'i' = ''): PatternReading {
  const mistake = mistakeIn(source, flags);
  if (mistake !== null) return { kind: 'invalid', why: `is not a regular expression: ${mistake}` };
  if (source.length > MOST_CHARACTERS)
    return unbounded(`is longer than ${MOST_CHARACTERS} characters`);
  const tree = parsePattern(source);
  const units = sizeOf(tree);
  if (units > MOST_UNITS)
    return unbounded(
      `stands for ${units} characters when its repetitions are written out, and only ${MOST_UNITS} can be searched for in a bounded time: write + or * instead of a large number`,
    );
  const looks = looksOf(tree);
  if (looks > MOST_LOOKS)
    return unbounded(
      `has ${looks} lookarounds when its repetitions are written out, and only ${MOST_LOOKS} can be told apart: take some out of the repetitions`,
    );
  const foreign = foreignPiece(tree);
  const longest = longestForEngine(tree, units, foreign !== null);
  if (foreign !== null && longest < SHORTEST)
    return unbounded(
      `may take for ever, because ${foreign} stands beside repetitions: write out what ${foreign} means, or take the repetitions out`,
    );
  const engine = new RegExp(source, flags);
  const required = flags === '' ? requiredText(tree) : '';
  let automaton: Automaton | null = null;
  const test = (text: string): boolean | null => {
    if (!text.includes(required)) return false;
    if (text.length <= longest) return engine.test(text);
    if (foreign !== null) return engine.test(text.slice(0, longest)) || null;
    automaton ??= createAutomaton(tree, flags);
    return automaton.test(text);
  };
  return { kind: 'pattern', pattern: { source, test } };
}

/**
 * Compiles a regular expression that `readPattern` accepts.
 *
 * @throws Error when it does not
 */
export function compilePattern(source: string): UserPattern {
  const reading = readPattern(source);
  if (reading.kind !== 'pattern') throw new Error(`/${source}/ ${reading.why}`);
  return reading.pattern;
}

function unbounded(why: string): PatternReading {
  return { kind: 'unbounded', why };
}

function mistakeIn(source: string, flags: string): string | null {
  try {
    new RegExp(source, flags);
    return null;
  } catch (error) {
    return /: ([^:]*)$/.exec(String(error))?.[1] ?? 'it cannot be read';
  }
}

/** Returns the length of the longest text that the engine of JavaScript can search without too many steps. */
function longestForEngine(tree: PatternTree, units: number, refersBack: boolean): number {
  let low = 0;
  let high = MOST_TRIES;
  while (low < high) {
    const length = Math.ceil((low + high) / 2);
    // A back-reference compares a text that may be as long as the whole.
    const tries = (length + 1) * units * waysOf(tree, length) * (refersBack ? length : 1);
    if (tries <= MOST_TRIES) low = length;
    else high = length - 1;
  }
  return low;
}
