import type { OutputStream } from './theme.ts';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
const VERSION = 1;

/** Prints the one JSON document that a command with --json writes on stdout. */
export function printJson(
  body: object,
  stream: Pick<OutputStream, 'write'> = process.stdout,
): void {
  stream.write(`${JSON.stringify({ version: VERSION, ...body }, null, 2)}\n`);
}
