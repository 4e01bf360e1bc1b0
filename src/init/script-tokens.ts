const PLAIN = /(?:[^\s;&|<>()"'\\$`]|\\[^\n])+/y;
const QUOTED = /'[^']*'/y;
const CONTINUED = /\\\n/y;

/** The text of a shell script, with the place up to which it is read. Nothing of it is run. */
export class ScriptText {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The number of the line of a place, from 1. Places are asked for in their order. */
  lineOf(at: number): number {
    for (; this.#counted < at; this.#counted += 1)
      if (this.#text[this.#counted] === '\n') this.#line += 1;
    return this.#line;
  }

  /** The next characters, which are not read by that. */
  rest(length: number): string {
    return this.#text.slice(this.#at, this.#at + length);
  }

  between(begin: number, end: number): string {
    return this.#text.slice(begin, end);
  }

  /** @param pattern sticky */
  match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += found?.length ?? 0;
    return found;
  }

  /** A word with its quotes and substitutions; null where there is none, or it is not closed. */
  word(): string | null {
    const from = this.#at;
    for (;;) {
      if (this.match(PLAIN) !== null || this.match(QUOTED) !== null) continue;
      // A word goes on in the next line.
      if (this.#at > from && this.match(CONTINUED) !== null) continue;
      const character = this.rest(1);
      if (character === '"' || character === '$' || character === '`') {
        if (this.#expand(character)) continue;
        this.#at = from;
        return null;
      }
      return this.#at > from ? this.#text.slice(from, this.#at).replaceAll('\\\n', '') : null;
    }
  }

  /** Goes over the text of a here-document, and the line that ends it. False: it is not ended. */
  skipDocument(delimiter: string): boolean {
    const from = this.#at;
    // Tabs, as `<<-` has them. An indented word is a part of the text.
    while (!this.isAtEnd) if (this.#takeLine().replace(/^\t+|\r$/g, '') === delimiter) return true;
    this.#at = from;
    return false;
  }

  #takeLine(): string {
    const end = this.#text.indexOf('\n', this.#at);
    const line = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 1;
    return line;
  }

  /** Goes over a text in double quotes, a variable or a substitution. */
  #expand(opening: string): boolean {
    if (opening === '$' && !/^\$[({]/.test(this.rest(2))) {
      this.#at += 1;
      return true;
    }
    const open: string[] = [];
    do {
      const pair = this.rest(2);
      const [character] = pair;
      const top = open.at(-1);
      if (character === undefined) return false;
      this.#at += 1;
      if (character === '\\') this.#at += 1;
      else if (character === top) open.pop();
      else if (pair === '$(' || pair === '${') {
        open.push(pair === '$(' ? ')' : '}');
        this.#at += 1;
      } else if (character === '"' || character === '`') open.push(character);
      else if (character === '(' && top === ')') open.push(')');
      else if (character === "'" && top !== '"') {
        this.#at -= 1;
        if (this.match(QUOTED) === null) return false;
      }
    } while (open.length > 0);
    return true;
  }
}
