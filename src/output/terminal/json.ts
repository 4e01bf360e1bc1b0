import type { OutputStream } from './theme.ts';

/**
 * Version of the documents. It is raised when a field changes its meaning or goes away, but not for a new
 * field.
 */
const VERSION = 1;

/**
 * Prints the one JSON document of a command with --json.
 *
 * JSON escapes control characters only up to 0x1F. Control characters above, and characters that change the
 * direction of text, are escaped too, because they could come from the name of a process and reach a
 * terminal.
 */
export function printJson(
  body: object,
  stream: Pick<OutputStream, 'write'> = process.stdout,
): void {
  const text = JSON.stringify({ version: VERSION, ...body }, null, 2);
  stream.write(`${text.replace(INVISIBLE, escaped)}\n`);
}

/** Formats one line of a stream of JSON documents (NDJSON), with its newline. */
export function jsonLine(body: object): string {
  return `${JSON.stringify({ version: VERSION, ...body }).replace(INVISIBLE, escaped)}\n`;
}

const INVISIBLE = /[\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
