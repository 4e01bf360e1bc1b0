import { type Alphabet, createAlphabet } from './alphabet.ts';
import type { Edge, PatternTree } from './syntax.ts';

/** A pattern as an automaton. It reads a text once, and never goes back. */
export interface Automaton {
  /** Tells whether the pattern matches anywhere in the text; null when that takes more steps than allowed. */
  test(text: string): boolean | null;
}

/** Most steps for one text: a step is a character, or a state that is entered for the first time. Takes about 100 ms. */
const MOST_STEPS = 1_000_000;

/**
 * Builds an automaton that is in all of its states at once (Thompson 1968), and remembers what follows from which states.
 *
 * A lookaround is an automaton of its own, which first marks each position of the text where it holds. A lookahead reads
 * the text from the end, so that it meets its own end first (Barrière and Pit-Claudel, "Linear Matching of JavaScript
 * Regular Expressions", PLDI 2024).
 *
 * @param tree without a piece that only the engine of JavaScript knows
 * @param flags of the pattern: none, or `i`
 */
export function createAutomaton(tree: PatternTree, flags: '' | 'i'): Automaton {
  const alphabet = createAlphabet(flags);
  const looks: Look[] = [];
  const program = compile(tree, false, alphabet, looks);
  return {
    test(text) {
      const input: Input = { text, alphabet, marks: [], left: MOST_STEPS };
      // An inner lookaround comes before the one that holds it.
      for (const look of looks) input.marks.push(markLook(look, input));
      let matches = false;
      run(program, input, () => {
        matches = true;
        return true;
      });
      return input.left > 0 ? matches : null;
    },
  };
}

/** A state of an automaton. */
interface State {
  /** Number of the set of units that leads to `next`; -1: no unit is taken. */
  readonly units: number;
  /** Condition on the position, without which there is no way on. */
  readonly check: Check | null;
  /** The next state; -1: the pattern has matched. */
  next: number;
  /** Another next state; -1: none. */
  readonly other: number;
}

type Check = (input: Input, at: number) => boolean;

interface Program {
  readonly states: readonly State[];
  readonly start: number;
  /** All checks of the states, each once. */
  readonly checks: readonly Check[];
  /** True when the text is read from its end. */
  readonly backward: boolean;
  /** The moments that are remembered, by their states. */
  readonly moments: Map<string, Moment>;
  /** Number of states in all moments. */
  kept: number;
  /** The round in which each state was met last. */
  readonly met: Uint32Array;
  round: number;
}

/** The states that a unit has led to. */
interface Moment {
  readonly states: readonly number[];
  /** The result at a position, by the answers of the checks there. */
  readonly settled: Map<number, Settled>;
}

interface Settled {
  /** The states that wait for a unit. */
  readonly waiting: readonly number[];
  /** True when the pattern has matched. */
  readonly ends: boolean;
  /** The moment that follows a unit, by the class of the unit. */
  readonly after: (Moment | undefined)[];
}

interface Look {
  readonly negated: boolean;
  readonly program: Program;
}

interface Input {
  readonly text: string;
  readonly alphabet: Alphabet;
  /** For each lookaround: 1 at each position where it holds. */
  readonly marks: Uint8Array[];
  /** Number of steps that are left. */
  left: number;
}

function compile(tree: PatternTree, backward: boolean, alphabet: Alphabet, looks: Look[]): Program {
  const states: State[] = [];
  const push = (state: Partial<State> & Pick<State, 'next'>): number =>
    states.push({ units: -1, check: null, other: -1, ...state }) - 1;

  /** Adds the states of a part, from its end to its beginning. Returns its first state. */
  const add = (part: PatternTree, next: number): number => {
    switch (part.kind) {
      case 'unit':
        return push({ units: alphabet.add(part.source), next });
      case 'edge':
        return push({ check: AT_EDGE[part.at], next });
      case 'sequence': {
        const parts = backward ? part.parts : part.parts.toReversed();
        return parts.reduce((behind, inner) => add(inner, behind), next);
      }
      case 'choice':
        return part.options
          .map((option) => add(option, next))
          .reduce((other, option) => push({ next: option, other }));
      case 'repeat':
        return repeat(part, next);
      case 'look': {
        const program = compile(part.body, part.ahead, alphabet, looks);
        const number = looks.push({ negated: part.negated, program }) - 1;
        return push({ check: ({ marks }, at) => marks[number]?.[at] === 1, next });
      }
      case 'foreign':
        throw new Error(`no automaton can be built of ${part.source}`);
    }
  };

  const repeat = ({ body, min, max }: PatternTree & { kind: 'repeat' }, next: number): number => {
    let first = next;
    if (max === Infinity) {
      first = push({ next: -1, other: next });
      const begin = add(body, first);
      const loop = states[first];
      if (loop) loop.next = begin;
    } else {
      for (let left = max - min; left > 0; left -= 1)
        first = push({ next: add(body, first), other: next });
    }
    for (let left = min; left > 0; left -= 1) first = add(body, first);
    return first;
  };

  const start = add(tree, push({ next: -1 }));
  const checks = [...new Set(states.flatMap(({ check }) => check ?? []))];
  const met = new Uint32Array(states.length);
  return { states, start, checks, backward, moments: new Map(), kept: 0, met, round: 0 };
}

const AT_EDGE: { readonly [At in Edge]: Check } = {
  '^': (_, at) => at === 0,
  $: ({ text }, at) => at === text.length,
  '\\b': ({ text }, at) => isWord(text, at - 1) !== isWord(text, at),
  '\\B': ({ text }, at) => isWord(text, at - 1) === isWord(text, at),
};

function isWord(text: string, at: number): boolean {
  return /\w/.test(text.charAt(at));
}

/** Marks each position of a text at which a lookaround holds. */
function markLook({ negated, program }: Look, input: Input): Uint8Array {
  const marks = new Uint8Array(input.text.length + 1).fill(negated ? 1 : 0);
  run(program, input, (at) => {
    marks[at] = negated ? 0 : 1;
    return false;
  });
  return marks;
}

/**
 * Runs an automaton over a text, beginning anew at each position, until there are no steps left.
 *
 * @param found is called with each position at which the pattern has matched; true: that is enough
 */
function run(program: Program, input: Input, found: (at: number) => boolean): void {
  const { text, alphabet } = input;
  const { backward } = program;
  const last = backward ? 0 : text.length;
  let moment = momentOf(program, []);
  for (let at = backward ? text.length : 0; input.left > 0; at += backward ? -1 : 1) {
    const answers = checksAt(program, input, at);
    const settled = moment.settled.get(answers) ?? settle(program, moment, answers, input, at);
    if ((settled.ends && found(at)) || at === last) return;
    const unit = alphabet.classOf(text.charCodeAt(backward ? at - 1 : at));
    moment = settled.after[unit] ?? follow(program, settled, unit, alphabet);
    input.left -= 1;
  }
}

/** Returns the answers of all checks at a position as one number, a bit for each. */
function checksAt({ checks }: Program, input: Input, at: number): number {
  let answers = 0;
  for (const check of checks) answers = answers * 2 + Number(check(input, at));
  return answers;
}

/** Enters all states that can be reached without a unit. */
function settle(
  program: Program,
  moment: Moment,
  answers: number,
  input: Input,
  at: number,
): Settled {
  const { states } = program;
  const isNew = firstMeetings(program);
  const waiting: number[] = [];
  let ends = false;
  const enter = (number: number): void => {
    const state = states[number];
    if (!state || !isNew(number)) return;
    input.left -= 1;
    if (state.units !== -1) waiting.push(number);
    else if (state.next === -1) ends = true;
    else if (state.check === null || state.check(input, at)) {
      enter(state.next);
      enter(state.other);
    }
  };
  for (const number of moment.states) enter(number);
  enter(program.start);
  const settled: Settled = { waiting, ends, after: [] };
  moment.settled.set(answers, settled);
  return settled;
}

/** Takes a unit. */
function follow(program: Program, settled: Settled, unit: number, alphabet: Alphabet): Moment {
  const { states } = program;
  const isNew = firstMeetings(program);
  const next: number[] = [];
  for (const number of settled.waiting) {
    const state = states[number];
    if (state && alphabet.has(state.units, unit) && isNew(state.next)) next.push(state.next);
  }
  const moment = momentOf(program, next);
  settled.after[unit] = moment;
  return moment;
}

/** Returns a function that tells whether it is asked about a state for the first time. */
function firstMeetings(program: Program): (state: number) => boolean {
  const { met } = program;
  program.round += 1;
  const { round } = program;
  return (state) => {
    if (met[state] === round) return false;
    met[state] = round;
    return true;
  };
}

/** Most states that are remembered: some megabytes. */
const MOST_KEPT = 100_000;

function momentOf(program: Program, states: readonly number[]): Moment {
  const key = states.join();
  const known = program.moments.get(key);
  if (known) return known;
  if (program.kept > MOST_KEPT) {
    program.moments.clear();
    program.kept = 0;
  }
  const moment: Moment = { states, settled: new Map() };
  program.moments.set(key, moment);
  program.kept += states.length + 1;
  return moment;
}
