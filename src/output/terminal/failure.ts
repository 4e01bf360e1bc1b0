import { DevctlError, ExitCode, inWords } from '../../errors.ts';
import { jsonLine, printJson } from './json.ts';
import { type OutputStream, themeFor } from './theme.ts';
import { printableLines } from './width.ts';

export interface FailureOutput {
  /** 'stderr': as one line there, because stdout belongs to the command of `devctl run`. */
  readonly json: boolean | 'stderr';
  /** True for --color, false for --no-color, undefined for neither. */
  readonly color?: boolean | undefined;
  readonly stdout?: OutputStream;
  readonly stderr?: OutputStream;
}

/**
 * Prints a failure: two lines for a failure that the user can act on, an apology and the stack for a fault
 * of devctl. With --json stdout gets a document about it too, because a script that parses stdout finds the
 * reason there.
 *
 * @returns the exit code
 */
export function printFailure(error: unknown, output: FailureOutput): number {
  const stderr = output.stderr ?? process.stderr;
  const theme = themeFor(stderr, output.color);
  const known = error instanceof DevctlError ? error : undefined;
  const message = inWords(error);
  if (known) {
    stderr.write(`${theme.red('✗')} ${printableLines(message)}\n`);
    if (known.hint) stderr.write(`  ${theme.dim('→')} ${printableLines(known.hint)}\n`);
  } else {
    const stack = error instanceof Error ? (error.stack ?? message) : message;
    stderr.write(`${theme.red('✗')} devctl made a mistake, sorry: this is a bug, not your fault\n`);
    stderr.write(
      `  ${theme.dim('→')} please report it with these lines\n\n${printableLines(stack)}\n`,
    );
  }
  if (output.json) {
    const hint = known?.hint ?? null;
    const report = { error: { code: known?.code ?? 'internal', message, hint } };
    if (output.json === 'stderr') stderr.write(jsonLine(report));
    else printJson(report, output.stdout ?? process.stdout);
  }
  return known?.exitCode ?? ExitCode.Failed;
}
