import { printable } from '../terminal/width.ts';

/** Text that is HTML already. Only `html` makes it, which escapes its values, and `raw`. */
export interface Html {
  readonly html: string;
}

type Value = string | number | Html | null | readonly Html[];

/**
 * Builds HTML from a template. Values stay text, in elements and in quoted attributes, because command
 * lines, log lines and names come from outside. For `<script>` and `<style>`, which know no escapes, see
 * `raw`.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const last = parts.length - 1;
  return { html: parts.map((part, at) => (at < last ? part + render(values[at]) : part)).join('') };
}

/** Marks a text of devctl's own as HTML. Text from outside must never come here. */
export function raw(text: string): Html {
  return { html: text };
}

/** Embeds data for a script in a `<script type="application/json">`. No `<` of the data can end the element. */
export function dataForScript(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replace(UNSAFE, escapeForScript);
  return html`<script type="application/json" id="${id}">${raw(json)}</script>`;
}

const UNSAFE = /[<>&\u2028\u2029]/g;

function escapeForScript(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function render(value: Value | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escaped(value);
  return 'html' in value ? value.html : value.map((one) => one.html).join('\n');
}

/**
 * Escapes a text. Control characters, and characters that change the direction of text, are shown instead
 * of obeyed.
 */
function escaped(text: string): string {
  return printable(text).replace(SPECIAL, (character) => ENTITIES[character] ?? '');
}

const SPECIAL = /[&<>"']/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
