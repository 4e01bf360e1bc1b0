import { ScriptText } from './script-tokens.ts';

/** A list of commands of a shell script: all between two of `;`, `&` and line ends. */
export interface ScriptCommand {
  /** Of its first word, from 1. */
  readonly line: number;
  /** As it stands in the script, on one line. */
  readonly text: string;
  /** The words as they stand, without redirections. */
  readonly words: readonly string[];
  readonly isBackground: boolean;
  /** The reason why it is not one simple command whose words the text tells; null: it is one. */
  readonly why: string | null;
  /** Where it stands: a function runs when it is called, and a subshell changes nothing around it. */
  readonly inside: Place | null;
}

type Place = 'function' | 'subshell' | 'block';

const IN_WORDS: Readonly<Record<Place, string>> = {
  function: 'it stands in a function',
  subshell: 'it stands in ( )',
  block: 'it stands in a condition, a loop or a block',
};

/** The words after which another command begins. */
const GOES_ON: ReadonlySet<string> = new Set(['then', 'do', 'else', 'elif', '!', 'time']);
const OPENS: ReadonlySet<string> = new Set(['if', 'for', 'while', 'until', 'case', 'select', '{']);
const CLOSES: ReadonlySet<string> = new Set(['fi', 'done', 'esac', '}']);

/** A redirection, with the number before it. `&>` is bash's. */
const REDIRECTION = /(?:\d*(?:<<<|<<-?|<&|<>|>>|>&|>\||<|>)|&>>?)/y;
const OPERATOR = /&&|\|\||;;|\|&|[;&|()\n]/y;
const BLANKS = /(?:[ \t\r]|\\\r?\n)+/y;
const COMMENT = /#[^\n]*/y;

/** Reads the commands of a shell script, as far as their text tells, and runs nothing. */
export function readScriptCommands(script: string): readonly ScriptCommand[] {
  return new CommandReader(new ScriptText(script)).read();
}

class CommandReader {
  readonly #script: ScriptText;
  readonly #found: ScriptCommand[] = [];
  readonly #functions = new Set<string>();
  readonly #places: { readonly place: Place; readonly begin: number; readonly line: number }[] = [];
  /** The delimiters of the here-documents that begin at the next line. */
  readonly #documents: string[] = [];
  #list = newList();
  #isFunctionNext = false;

  constructor(script: ScriptText) {
    this.#script = script;
  }

  read(): readonly ScriptCommand[] {
    while (!this.#script.isAtEnd && this.#places.length < DEEPEST && this.#step());
    if (!this.#script.isAtEnd) {
      this.#begin(this.#script.at);
      this.#list.why =
        'a quote, a bracket or a here-document is not closed, so the rest is not read';
      this.#list.end = Number.POSITIVE_INFINITY;
    }
    this.#end(!this.#script.isAtEnd);
    return this.#found.map((one) =>
      one.why === null && this.#functions.has(one.words[0] ?? '')
        ? { ...one, why: 'it calls a function of the script' }
        : one,
    );
  }

  /** False: the rest cannot be read. */
  #step(): boolean {
    if (this.#script.match(BLANKS) !== null || this.#script.match(COMMENT) !== null) return true;
    const from = this.#script.at;
    const sign = this.#script.match(REDIRECTION);
    if (sign !== null) return this.#redirect(sign);
    const operator = this.#script.match(OPERATOR);
    if (operator !== null) return this.#operate(operator, from);
    const word = this.#script.word();
    if (word !== null) this.#take(word, from);
    return word !== null;
  }

  #redirect(sign: string): boolean {
    this.#script.match(BLANKS);
    const target = this.#script.word() ?? '';
    if (/^\d*<<-?$/.test(sign)) this.#documents.push(target.replace(/["'\\]/g, ''));
    if (sign.includes('<') && target !== '/dev/null') this.#list.why ??= 'it reads from a file';
    this.#list.end = this.#script.at;
    return true;
  }

  #operate(operator: string, from: number): boolean {
    if (operator === '\n') {
      if (!this.#documents.splice(0).every((one) => this.#script.skipDocument(one))) return false;
      // After an operator the list goes on in the next line.
      if (!this.#list.isOpen) this.#end(false);
    } else if (operator === '&' || operator === ';' || operator === ';;') {
      this.#end(operator === '&');
    } else if (operator === '(') this.#openBracket(from);
    else if (operator === ')') this.#closeBracket();
    else {
      this.#list.why ??= `it has ${operator}`;
      this.#list.isOpen = true;
      this.#list.isFirst = true;
    }
    return true;
  }

  #openBracket(from: number): void {
    this.#begin(from);
    const { words, begin, line } = this.#list;
    const [name] = words;
    this.#isFunctionNext = words.length === 1 && /^\s*\)/.test(this.#script.rest(20));
    if (this.#isFunctionNext && name !== undefined) this.#functions.add(name);
    this.#list.why ??= this.#isFunctionNext ? 'it is a function' : 'it has ( )';
    this.#places.push({ place: 'subshell', begin, line });
    this.#list.isFirst = true;
  }

  #closeBracket(): void {
    // The `)` of a pattern of `case` closes nothing.
    if (this.#places.at(-1)?.place !== 'subshell') this.#list = newList();
    else {
      if (!this.#isFunctionNext) this.#end(false);
      this.#close('it has ( )');
    }
    this.#list.isFirst = true;
    this.#list.isOpen = this.#isFunctionNext;
  }

  /** The words after a closed place belong to one list with it: `} &`, `done > log &`. */
  #close(why: string): void {
    const { begin = this.#list.begin, line = this.#list.line } = this.#places.pop() ?? {};
    Object.assign(this.#list, { begin, line, end: this.#script.at, why: this.#list.why ?? why });
  }

  #take(word: string, from: number): void {
    const list = this.#list;
    this.#begin(from);
    list.isOpen = false;
    list.end = this.#script.at;
    if (list.isFirst && word === 'function') {
      this.#isFunctionNext = true;
      list.why ??= 'it is a function';
      return;
    }
    if (this.#isFunctionNext && word !== '{') this.#functions.add(word);
    const isReserved = list.isFirst || this.#isFunctionNext;
    if (isReserved && CLOSES.has(word)) this.#close('it is a condition, a loop or a block');
    else if (isReserved && OPENS.has(word)) this.#open(word);
    else if (list.isFirst && GOES_ON.has(word)) list.why ??= 'it is part of a condition or a loop';
    else {
      list.words.push(word);
      // After the name of a function comes a block.
      list.isFirst = false;
      if (isComputed(word)) list.why ??= 'only a shell knows the value of its $ or `';
    }
  }

  #open(word: string): void {
    const { begin, line } = this.#list;
    this.#list.why ??= 'it is a condition, a loop or a block';
    this.#places.push({ place: this.#isFunctionNext ? 'function' : 'block', begin, line });
    this.#isFunctionNext = false;
    // The words of `for x in a b` and `case x in` are no commands.
    this.#list.isFirst = !/^(?:for|case|select)$/.test(word);
  }

  #begin(from: number): void {
    if (this.#list.begin < 0)
      Object.assign(this.#list, { begin: from, line: this.#script.lineOf(from) });
  }

  #end(isBackground: boolean): void {
    const { begin, end, line, words, why } = this.#list;
    this.#list = newList();
    if (begin < 0) return;
    const places = this.#places.map(({ place }) => place);
    const inside = places.includes('function') ? 'function' : (places.at(-1) ?? null);
    const shown = this.#script.between(begin, Math.min(end, begin + MOST_SHOWN));
    const text = shown.replace(/\\?\s*\n\s*/g, ' ');
    const inPlace = inside === null ? null : IN_WORDS[inside];
    this.#found.push({ line, text, words, isBackground, why: inPlace ?? why, inside });
  }
}

/** No script that people write is nested deeper. */
const DEEPEST = 100;

/** The most of a text that anybody is shown. */
const MOST_SHOWN = 160;

function isComputed(word: string): boolean {
  const unquoted = word.replace(
    /("(?:[^"\\]|\\[\s\S])*")|'[^']*'|\\[\s\S]/g,
    (_all, quoted?: string) => quoted?.replace(/\\[\s\S]/g, '') ?? '',
  );
  return /[$`]/.test(unquoted);
}

function newList() {
  return {
    begin: -1,
    end: 0,
    line: 0,
    words: [] as string[],
    why: null as string | null,
    /** True where a command begins. */
    isFirst: true,
    /** True after an operator that needs another command. */
    isOpen: false,
  };
}
