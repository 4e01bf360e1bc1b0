import { ExitCode, errnoOf, inWords } from '../../errors.ts';
import { themeFor } from './theme.ts';
import { printable } from './width.ts';

let isTold = false;

/**
 * What cannot be printed is left out, and the work goes on: no stop is left half done because nobody reads what it says
 * (`devctl stop | head -1`: EPIPE; a terminal that was closed: EIO), or because what it says goes to a full disk.
 */
export function tolerateLostOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', tellLostOutput);
}

/** Has the reader gone? Then nobody misses anything. */
export function isReaderGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EPIPE' || errno === 'EIO';
}

/**
 * Where somebody will miss it, it is told, once, and the exit code is 1 at least: whoever reads the file later must
 * not take it for whole.
 */
export function tellLostOutput(error: unknown): void {
  if (isTold || isReaderGone(error)) return;
  isTold = true;
  process.once('exit', () => {
    process.exitCode ||= ExitCode.Failed;
  });
  const { red } = themeFor(process.stderr, undefined);
  const text = `what was to be printed is incomplete: ${printable(inWords(error))}`;
  process.stderr.write(`${red('✗')} ${text}\n`);
}
