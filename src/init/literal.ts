/** A part of JavaScript that is no literal: only running it would tell its value. */
export const UNKNOWN: unique symbol = Symbol('unknown');

/**
 * Reads the object after `module.exports =` or `export default` where it is written as a literal. It runs no code: a
 * value that is computed is UNKNOWN, and a spread is left out.
 *
 * @returns undefined where the file exports no literal
 */
export function readExportedLiteral(source: string): unknown {
  const text = withoutComments(source);
  const start = /(?:module\.exports\s*=|export\s+default)\s*(?=[[{])/.exec(text);
  if (!start) return undefined;
  const reader = new LiteralReader(text, start.index + start[0].length);
  return reader.value(0);
}

const DEEPEST = 40;

class LiteralReader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  value(depth: number): unknown {
    this.#blanks();
    const from = this.#at;
    const found = depth > DEEPEST ? UNKNOWN : this.#literal(depth);
    this.#blanks();
    // Behind a literal that is only the beginning of an expression comes more than the end of a value.
    if (found !== UNKNOWN && /^(?:[,}\];]|$)/.test(this.#text.slice(this.#at, this.#at + 1)))
      return found;
    if (found !== UNKNOWN && depth === 0) return found;
    this.#at = from;
    this.#skipExpression();
    return UNKNOWN;
  }

  #literal(depth: number): unknown {
    const first = this.#text[this.#at] ?? '';
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#list(depth);
    if (`'"\``.includes(first) && first !== '') return this.#string(first);
    const word = this.#match(/[-+]?[\w.]+/y) ?? '';
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null' || word === 'undefined') return null;
    return /^[-+]?\d/.test(word) && Number.isFinite(Number(word.replaceAll('_', '')))
      ? Number(word.replaceAll('_', ''))
      : UNKNOWN;
  }

  #object(depth: number): Readonly<Record<string, unknown>> {
    const entries: [string, unknown][] = [];
    this.#at += 1;
    for (;;) {
      this.#blanks();
      if (this.#ends('}')) return Object.fromEntries(entries);
      const from = this.#at;
      const quote = this.#text[this.#at] ?? '';
      const key = `'"`.includes(quote) ? this.#string(quote) : this.#match(/[\w$]+/y);
      this.#blanks();
      if (typeof key === 'string' && this.#text[this.#at] === ':') {
        this.#at += 1;
        entries.push([key, this.value(depth + 1)]);
      } else this.#skipExpression();
      this.#comma(from);
    }
  }

  #list(depth: number): readonly unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    for (;;) {
      this.#blanks();
      if (this.#ends(']')) return items;
      const from = this.#at;
      items.push(this.value(depth + 1));
      this.#comma(from);
    }
  }

  /** A template with a `${}` is computed. */
  #string(quote: string): string | typeof UNKNOWN {
    let found = '';
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] ?? '';
      if (character === quote) {
        this.#at += 1;
        return found;
      }
      if (quote === '`' && this.#text.startsWith('${', this.#at)) return UNKNOWN;
      if (character === '\\') {
        this.#at += 1;
        const escaped = this.#text[this.#at] ?? '';
        found += { n: '\n', t: '\t', r: '\r', '\n': '' }[escaped] ?? escaped;
      } else found += character;
    }
    return UNKNOWN;
  }

  /** Goes on to the comma or the bracket that ends the expression. */
  #skipExpression(): void {
    let open = 0;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] ?? '';
      if (`'"\``.includes(character)) {
        this.#skipString(character);
        continue;
      }
      if ('([{'.includes(character)) open += 1;
      if (')]}'.includes(character)) {
        if (open === 0) return;
        open -= 1;
      }
      if (character === ',' && open === 0) return;
    }
  }

  #skipString(quote: string): void {
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      if (this.#text[this.#at] === '\\') this.#at += 1;
      else if (this.#text[this.#at] === quote) return;
    }
  }

  /** True at the closing bracket, and at the end of a text that is cut off. */
  #ends(bracket: string): boolean {
    if (this.#at >= this.#text.length) return true;
    if (this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  /** @param from where the reader stood before the item: a text that is no JavaScript must not keep it there */
  #comma(from: number): void {
    this.#blanks();
    if (this.#text[this.#at] === ',' || this.#at === from) this.#at += 1;
  }

  #blanks(): void {
    this.#match(/\s*/y);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += found?.length ?? 0;
    return found;
  }
}

/** Replaces comments by blanks; texts in quotes stay. */
function withoutComments(source: string): string {
  return source.replace(
    // A text that is not closed goes to the end: else each of many would be searched to the end.
    /("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\[\s\S])*`?)|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g,
    (_all, quoted: string | undefined) => quoted ?? ' ',
  );
}
