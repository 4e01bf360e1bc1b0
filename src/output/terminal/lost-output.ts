import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { ExitCode, errnoOf, exitCodeOf, inWords } from '../../errors.ts';
import { themeFor } from './theme.ts';
import { printable } from './width.ts';

let isTold = false;

/**
 * Lets the work go on when output cannot be printed. A stop must not end half done because its reader has
 * gone (`devctl stop | head -1`: EPIPE; a terminal that was closed: EIO), or because its output goes to a
 * full disk.
 */
export function tolerateLostOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', tellLostOutput);
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  if (terminals.length > 0) process.once('exit', () => letGoOfClosed(terminals));
}

/**
 * Opens /dev/null in the place of a terminal that was closed. At its end Node restores the settings of its terminals, and
 * aborts where one has gone: tcsetattr(3) says EIO. It leaves alone a descriptor that is another file by then.
 */
function letGoOfClosed(terminals: readonly number[]): void {
  for (const fd of terminals) {
    if (isatty(fd)) continue;
    closeSync(fd);
    openSync('/dev/null', 'r+');
  }
}

/** True when the reader has gone, so that nobody misses the output. */
export function isReaderGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EPIPE' || errno === 'EIO';
}

/**
 * The exit code of a command that ends because the reader of its stdout has gone. A write to a terminal that was closed
 * may fail a moment before SIGHUP comes.
 */
export function codeOfLostReader(): number {
  return process.stdout.isTTY ? exitCodeOf('SIGHUP') : ExitCode.Ok;
}

/**
 * Reports lost output, once, and makes the exit code at least 1, because a reader of the file must not take
 * it for complete. When the reader has gone, it does nothing.
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
