import { runProgram } from './cli.ts';
import { tolerateLostOutput } from './output/terminal/lost-output.ts';

/**
 * Runs one devctl command and sets `process.exitCode`. The usual forms of `status` and `stop` do not
 * come here: `quick-main.ts`.
 *
 * Never process.exit: it would cut off what a slow pipe on stdout has not taken yet. The process
 * ends when the command has closed all it opened.
 *
 * @param args without node and the script
 */
export async function main(args: readonly string[]): Promise<void> {
  tolerateLostOutput();
  process.exitCode = await runProgram(args);
}
