import type { OutputStream } from './theme.ts';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
const VERSION = 1;

/**
 * Prints the one JSON document that a command with --json writes on stdout.
 *
 * JSON itself escapes control characters only up to 0x1F; those above, and what turns the direction of
 * the text, could still come from a process's name and reach a terminal.
 */
export function printJson(
  body: object,
  stream: Pick<OutputStream, 'write'> = process.stdout,
): void {
  const text = JSON.stringify({ version: VERSION, ...body }, null, 2);
  stream.write(`${text.replace(INVISIBLE, escaped)}\n`);
}

/** One line of a stream of JSON documents (NDJSON), with its newline. */
export function jsonLine(body: object): string {
  return `${JSON.stringify({ version: VERSION, ...body }).replace(INVISIBLE, escaped)}\n`;
}

const INVISIBLE = /[\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
