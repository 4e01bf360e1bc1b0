import { Composer, isMap, isNode, isScalar, LineCounter, Parser } from 'yaml';
import { setTags } from './plain-values.ts';

/** The result of reading a YAML file: its value, or the line and the reason. */
export type YamlReading =
  | { readonly kind: 'read'; readonly value: unknown }
  | { readonly kind: 'unread'; readonly line: number; readonly why: string };

/** Longest text that is read: no file that people write is longer. */
const MOST_CHARACTERS = 512 * 1024;

/** How often an alias may be used. Aliases of aliases could become more than the memory holds. */
const MOST_ALIASES = 1_000;

/** Deepest nesting of tokens, two or three for each level. Composing calls itself for each, until V8 ends the process. */
const MOST_LAYERS = 500;

const OPTIONS = { schema: 'core', merge: true, logLevel: 'silent', prettyErrors: false } as const;

/** Reads a YAML file without tags of other languages. The value of an unknown tag is read as if it had none: see `tagOf` in plain-values.ts. */
export function readYaml(text: string): YamlReading {
  if (text.length > MOST_CHARACTERS)
    return unread(1, `it is larger than ${MOST_CHARACTERS / 1024} KB`);
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  if (isTooDeep(tokens)) return unread(1, 'it is nested too deeply');
  const [document, second] = new Composer(OPTIONS).compose(tokens, true, text.length);
  if (!document) return { kind: 'read', value: null };
  const lineAt = (position: number): number => lines.linePos(position).line;
  const [error] = document.errors;
  if (error) return unread(lineAt(error.pos[0]), error.message);
  if (second) return unread(lineAt(second.range[0]), 'it holds more than one document');
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    noteTags(document.contents, value);
    return { kind: 'read', value };
  } catch (error) {
    return unread(1, error instanceof Error ? error.message : String(error));
  }
}

/** Adds the tags to the maps of a value that was made from this node. An alias has those of its anchor. */
function noteTags(node: unknown, value: unknown): void {
  if (!isMap(node) || typeof value !== 'object' || value === null) return;
  const tags = new Map<string, string>();
  for (const { key, value: inner } of node.items) {
    const name = String(isScalar(key) ? key.value : key);
    if (isNode(inner) && inner.tag?.startsWith('!')) tags.set(name, inner.tag);
    if (Object.hasOwn(value, name)) noteTags(inner, Reflect.get(value, name));
  }
  if (tags.size > 0) setTags(value, tags);
}

function unread(line: number, why: string): YamlReading {
  return { kind: 'unread', line, why };
}

interface Layer {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly items?: readonly unknown[];
}

function isTooDeep(tokens: readonly unknown[]): boolean {
  let layer: readonly unknown[] = tokens;
  for (let depth = 0; layer.length > 0; depth += 1) {
    if (depth > MOST_LAYERS) return true;
    layer = layer.flatMap((one) => {
      const { key, value, items = [] } = one as Layer;
      return [key, value, ...items].filter((inner) => typeof inner === 'object' && inner !== null);
    });
  }
  return false;
}
