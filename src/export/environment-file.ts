/**
 * Reads an env file as `EnvironmentFile=` of systemd does (parse_env_file_internal), to tell which variables it reads
 * otherwise than devctl. It knows no `$NAME` and no comment behind a value, keeps `\n`, and joins what follows a
 * closing quote. A comment that ends in a backslash takes the next line with it, as before systemd 254.
 */
export function readAsSystemd(text: string): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  const source = `${text.replaceAll('\r', '\n')}\n`;
  for (let at = 0; at < source.length; ) {
    const comment = matchAt(COMMENT, source, at);
    if (comment) {
      at = comment.end;
      continue;
    }
    const head = matchAt(HEAD, source, at);
    if (!head) {
      at = lineEnd(source, at);
      continue;
    }
    const { value, end } = readValue(source, head.end);
    const name = head.match[1]?.trimEnd() ?? '';
    if (/^[A-Za-z_]\w*$/.test(name) && !CONTROL.test(value)) read.set(name, value);
    at = end;
  }
  return read;
}

/** Control characters that systemd takes in no value. */
export const CONTROL = /(?![\t\n])[\p{Cc}]/u;

const COMMENT = /\s*[#;](?:\\[\s\S]|[^\\\n])*\n?/y;
const HEAD = /\s*([^\s=#;][^=\n]*)=/y;

function readValue(source: string, from: number): { readonly value: string; readonly end: number } {
  let value = '';
  let at = from;
  for (;;) {
    const blank = matchAt(/[ \t]*/y, source, at);
    at = blank?.end ?? at;
    const quoted = matchAt(/'([^']*)(?:'|$)/y, source, at);
    const double = quoted ? null : matchAt(/"((?:\\[\s\S]|[^"\\])*)(?:"|$)/y, source, at);
    const found = quoted ?? double;
    if (!found) break;
    const inner = found.match[1] ?? '';
    value += quoted ? inner : inner.replaceAll(/\\(["\\`$\n])/g, unescaped);
    at = found.end;
  }
  const plain = matchAt(/(?:\\[\s\S]|[^\\\n])*/y, source, at);
  const rest = plain?.match[0] ?? '';
  // A blank behind a backslash stays.
  const trimmed = rest.replace(/((?:^|[^\\])(?:\\\\)*(?:\\[ \t])?)[ \t]+$/, '$1');
  return {
    value: value + trimmed.replaceAll(/\\([\s\S])/g, unescaped),
    end: (plain?.end ?? at) + 1,
  };
}

function unescaped(_all: string, character: string): string {
  return character === '\n' ? '' : character;
}

function lineEnd(source: string, from: number): number {
  return source.indexOf('\n', from) + 1 || source.length;
}

function matchAt(
  expression: RegExp,
  source: string,
  offset: number,
): { readonly match: RegExpExecArray; readonly end: number } | null {
  expression.lastIndex = offset;
  const match = expression.exec(source);
  return match && { match, end: expression.lastIndex };
}
