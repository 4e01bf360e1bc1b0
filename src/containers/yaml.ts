/** A value of a YAML file. Numbers and booleans stay texts, because nobody here counts with them. */
export type Yaml = string | null | readonly Yaml[] | YamlMap;
export type YamlMap = ReadonlyMap<string, Yaml>;

/** What reading a YAML file came to. `why` names what devctl does not understand, and its line. */
export type YamlReading =
  | { readonly kind: 'read'; readonly value: Yaml }
  | { readonly kind: 'unread'; readonly line: number; readonly why: string };

/**
 * Reads the YAML that compose files are written in: blocks, flow collections, quoted texts, block scalars, anchors,
 * aliases and merge keys. A whole YAML parser would make the package a quarter larger, for five keys of a file that
 * compose itself checks. What is not understood is refused with its line, never guessed.
 */
export function readYaml(text: string): YamlReading {
  try {
    return { kind: 'read', value: new YamlReader(text).read() };
  } catch (error) {
    if (error instanceof NotUnderstood) return { kind: 'unread', line: error.line, why: error.why };
    throw error;
  }
}

class NotUnderstood extends Error {
  readonly line: number;
  readonly why: string;
  constructor(line: number, why: string) {
    super(why);
    this.line = line;
    this.why = why;
  }
}

interface Line {
  readonly number: number;
  readonly indent: number;
  /** Without the indentation. */
  readonly text: string;
}

/** Most levels of a file: deeper ones would overflow the stack. */
const MOST_LEVELS = 60;

class YamlReader {
  readonly #lines: Line[];
  #at = 0;
  #level = 0;
  readonly #anchors = new Map<string, Yaml>();

  constructor(text: string) {
    this.#lines = text
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .map((raw, index) => {
        const indent = /^ */.exec(raw)?.[0].length ?? 0;
        return { number: index + 1, indent, text: raw.slice(indent).trimEnd() };
      });
  }

  read(): Yaml {
    this.#skipBlank();
    while (/^(%|---$)/.test(this.#now()?.text ?? '')) {
      this.#at += 1;
      this.#skipBlank();
    }
    const first = this.#now();
    if (!first) return null;
    const value = this.#block(first.indent);
    this.#skipBlank();
    if (this.#now()?.text === '...') this.#at += 1;
    this.#skipBlank();
    const rest = this.#now();
    if (rest) throw new NotUnderstood(rest.number, 'this line does not fit the indentation above');
    return value;
  }

  #now(): Line | undefined {
    return this.#lines[this.#at];
  }

  #skipBlank(): void {
    for (let line = this.#now(); line && /^(#|$)/.test(line.text); line = this.#now())
      this.#at += 1;
  }

  #fail(why: string): NotUnderstood {
    return new NotUnderstood(this.#now()?.number ?? this.#lines.length, why);
  }

  /** Reads the block that begins at the current line. */
  #block(indent: number): Yaml {
    const line = this.#now();
    if (!line) return null;
    if (line.text.startsWith('\t')) throw this.#fail('a tab stands in the indentation');
    this.#level += 1;
    if (this.#level > MOST_LEVELS)
      throw this.#fail(`is nested more than ${MOST_LEVELS} levels deep`);
    try {
      if (isItem(line.text)) return this.#list(indent);
      if (splitKey(line.text)) return this.#map(indent);
      this.#at += 1;
      return this.#value(line.text, indent - 1);
    } finally {
      this.#level -= 1;
    }
  }

  #list(indent: number): Yaml {
    const items: Yaml[] = [];
    for (;;) {
      this.#skipBlank();
      const line = this.#now();
      if (!line || line.indent !== indent || !isItem(line.text)) return items;
      const rest = line.text.slice(1).trimStart();
      const column = indent + line.text.length - rest.length;
      if (rest !== '' && (isItem(rest) || splitKey(rest))) {
        // "- key: value" begins a block of its own, in the column where the key stands.
        this.#lines[this.#at] = { ...line, indent: column, text: rest };
        items.push(this.#block(column));
        continue;
      }
      this.#at += 1;
      items.push(this.#value(rest, indent));
    }
  }

  #map(indent: number): Yaml {
    const entries = new Map<string, Yaml>();
    const merged: YamlMap[] = [];
    for (;;) {
      this.#skipBlank();
      const line = this.#now();
      if (!line || line.indent !== indent) break;
      if (line.text.startsWith('\t')) throw this.#fail('a tab stands in the indentation');
      const found = splitKey(line.text);
      if (!found || isItem(line.text)) break;
      this.#at += 1;
      const value = this.#value(found.rest, indent, true);
      if (found.key === '<<') merged.push(...[value].flat().filter(isMap));
      else entries.set(found.key, value);
    }
    // The key's own value wins, then that of the first merged map.
    return new Map([...merged.reverse().flatMap((map) => [...map]), ...entries]);
  }

  /**
   * Reads a value whose first line is already consumed.
   *
   * @param indent that of the key or the dash: the value's further lines stand deeper
   * @param ofKey true: a list may stand in the column of its key
   */
  #value(given: string, indent: number, ofKey = false): Yaml {
    const { text, anchor } = withoutProperties(given);
    const value = this.#plainValue(text, indent, ofKey);
    if (anchor !== null) this.#anchors.set(anchor, value);
    return value;
  }

  #plainValue(text: string, indent: number, ofKey: boolean): Yaml {
    const bare = withoutComment(text);
    if (bare === '') return this.#nested(indent, ofKey);
    const alias = /^\*(\S+)$/.exec(bare)?.[1];
    if (alias !== undefined) {
      const known = this.#anchors.get(alias);
      if (known === undefined) throw this.#failAbove(`*${alias} is not known`);
      return known;
    }
    if (/^[|>][-+\d]*$/.test(bare)) return this.#blockScalar(indent, bare.startsWith('|'));
    if (/^[[{]/.test(text)) return this.#flow(text, indent);
    if (/^["']/.test(text)) return this.#quoted(text, indent);
    if (/^[%@`?]/.test(bare)) throw this.#failAbove(`"${bare[0]}" is not understood here`);
    let all = bare;
    for (let line = this.#deeper(indent); line; line = this.#deeper(indent)) {
      this.#at += 1;
      all += ` ${withoutComment(line.text)}`;
    }
    return /^(~|null|Null|NULL)$/.test(all) ? null : all;
  }

  #failAbove(why: string): NotUnderstood {
    return new NotUnderstood(this.#lines[this.#at - 1]?.number ?? 1, why);
  }

  #nested(indent: number, ofKey: boolean): Yaml {
    this.#skipBlank();
    const line = this.#now();
    if (!line) return null;
    if (line.indent > indent) return this.#block(line.indent);
    return ofKey && line.indent === indent && isItem(line.text) ? this.#block(indent) : null;
  }

  #deeper(indent: number): Line | null {
    const line = this.#now();
    return line && line.text !== '' && line.indent > indent && !line.text.startsWith('#')
      ? line
      : null;
  }

  #blockScalar(indent: number, keepsLines: boolean): string {
    const lines: string[] = [];
    for (let line = this.#now(); line; line = this.#now()) {
      if (line.text !== '' && line.indent <= indent) break;
      lines.push(line.text);
      this.#at += 1;
    }
    return lines.join(keepsLines ? '\n' : ' ').trim();
  }

  /** Joins lines until all brackets and quotes are closed, and reads what they hold. */
  #flow(first: string, indent: number): Yaml {
    let text = first;
    for (;;) {
      const reading = readFlow(text, this.#anchors);
      if (reading.kind === 'value') return reading.value;
      const line = reading.kind === 'open' ? this.#now() : undefined;
      if (!line || (line.text !== '' && line.indent <= indent && !/^[\]}]/.test(line.text)))
        throw this.#failAbove('the bracket that begins here is not closed');
      this.#at += 1;
      text += `\n${line.text}`;
    }
  }

  #quoted(first: string, indent: number): string {
    let text = first;
    for (;;) {
      const end = endOfQuoted(text);
      if (end !== null) return unquote(text.slice(0, end));
      const line = this.#now();
      if (!line || (line.text !== '' && line.indent <= indent))
        throw this.#failAbove('the quote that begins here is not closed');
      this.#at += 1;
      text += ` ${line.text}`;
    }
  }
}

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

export function isMap(value: Yaml | undefined): value is YamlMap {
  return value instanceof Map;
}

/** Splits "key: rest"; null where the text is no entry of a map. */
function splitKey(text: string): { readonly key: string; readonly rest: string } | null {
  if (/^["']/.test(text)) {
    const end = endOfQuoted(text);
    const after = end === null ? null : /^\s*:(?:\s+(.*))?$/.exec(text.slice(end));
    return end !== null && after
      ? { key: unquote(text.slice(0, end)), rest: after[1] ?? '' }
      : null;
  }
  if (/^[[{#&*!|>%@`]/.test(text)) return null;
  const found = /^(.*?)\s*:(?:\s+(.*))?$/.exec(text);
  // A colon behind a comment's sign is none.
  return found?.[1] && !/\s#/.test(found[1]) ? { key: found[1], rest: found[2] ?? '' } : null;
}

/** Takes tags ("!!str", compose's "!reset") and an anchor off the beginning of a value. */
function withoutProperties(given: string): {
  readonly text: string;
  readonly anchor: string | null;
} {
  let text = given;
  let anchor: string | null = null;
  for (let found = PROPERTY.exec(text); found; found = PROPERTY.exec(text)) {
    if (found[1] === '&') anchor = found[2] ?? null;
    text = text.slice(found[0].length);
  }
  return { text, anchor };
}

const PROPERTY = /^([&!])(\S*)(?:\s+|$)/;

function withoutComment(text: string): string {
  return text.replace(/(^|\s+)#.*$/, '').trim();
}

/** The position behind the closing quote; null where it is not there yet. */
function endOfQuoted(text: string): number | null {
  const found =
    text[0] === '"' ? /^"(?:[^"\\]|\\[\s\S])*"/.exec(text) : /^'(?:[^']|'')*'/.exec(text);
  return found?.[0].length ?? null;
}

function unquote(text: string): string {
  if (text[0] === "'") return text.slice(1, -1).replaceAll("''", "'");
  return text
    .slice(1, -1)
    .replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\s\S])/g, (_, code: string) => {
      if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
      return ESCAPES[code] ?? code;
    });
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

type FlowReading =
  | { readonly kind: 'value'; readonly value: Yaml }
  /** More lines are needed. */
  | { readonly kind: 'open' }
  | { readonly kind: 'wrong' };

/** Reads `[a, b]` or `{a: b}`, which is also JSON. */
function readFlow(text: string, anchors: ReadonlyMap<string, Yaml>): FlowReading {
  const tokens = text.match(FLOW_TOKEN)?.filter((token) => !/^(\s|#)/.test(token)) ?? [];
  if (tokens.join('').length === 0) return { kind: 'open' };
  let at = 0;
  let isOpen = false;
  const value = (depth: number): Yaml => {
    const token = tokens[at];
    at += 1;
    if (token === undefined || depth > MOST_LEVELS) isOpen = true;
    else if (token === '[') return list(depth);
    else if (token === '{') return map(depth);
    if (token === undefined) return null;
    const alias = /^\*(\S+)/.exec(token)?.[1];
    return (alias === undefined ? undefined : anchors.get(alias)) ?? scalar(token);
  };
  const list = (depth: number): Yaml => {
    const items: Yaml[] = [];
    while (tokens[at] !== ']' && at < tokens.length) {
      items.push(value(depth + 1));
      if (tokens[at] === ',') at += 1;
    }
    isOpen ||= tokens[at] !== ']';
    at += 1;
    return items;
  };
  const map = (depth: number): Yaml => {
    const entries = new Map<string, Yaml>();
    while (tokens[at] !== '}' && at < tokens.length) {
      const key = scalar(tokens[at] ?? '');
      at += 1;
      if (tokens[at] === ':') {
        at += 1;
        entries.set(key ?? '', /^[,}]$/.test(tokens[at] ?? '') ? null : value(depth + 1));
      } else entries.set(key ?? '', null);
      if (tokens[at] === ',') at += 1;
    }
    isOpen ||= tokens[at] !== '}';
    at += 1;
    return entries;
  };
  const result = value(0);
  if (isOpen) return { kind: 'open' };
  return at < tokens.length ? { kind: 'wrong' } : { kind: 'value', value: result };
}

/** A colon separates only before a blank, a bracket or behind a quoted key, so that "8080:80" is one text. */
const FLOW_TOKEN =
  /"(?:[^"\\]|\\[\s\S])*"|'(?:[^']|'')*'|[[\]{},]|:(?=[\s,\]}"'[{]|$)|(?<=["']):|(?<=\s)#[^\n]*|\s+|(?:[^\s,[\]{}":'#]|:(?![\s,\]}]|$)|(?<=\S)#)(?:[^,[\]{}:\n]|:(?![\s,\]}]|$))*/g;

function scalar(token: string): string | null {
  if (/^["']/.test(token)) return unquote(token);
  const text = token.trim();
  return /^(~|null)$/.test(text) ? null : text;
}
