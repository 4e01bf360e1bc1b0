import { runProgram } from './cli.ts';
import { tolerateLostOutput } from './output/terminal/lost-output.ts';

/**
 * Runs one devctl command and sets `process.exitCode`. `quick-main.ts` runs the usual forms of `start`, `status`
 * and `stop` instead.
 *
 * Never calls process.exit, because that would cut off output that a slow pipe on stdout has not taken yet.
 * The process ends when the command has closed everything it opened.
 *
 * @param args without node and the script
 */
export async function main(args: readonly string[]): Promise<void> {
  tolerateLostOutput();
  process.exitCode = await runProgram(args);
}
