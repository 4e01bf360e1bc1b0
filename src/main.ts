import { parseQuickly } from './quick.ts';

/**
 * Runs one devctl command and sets `process.exitCode`.
 *
 * `status` and `stop` in their usual forms are carried out without commander, which takes longer to
 * load than they take to run; everything else is `cli.ts`'s.
 *
 * Never process.exit: it would cut off what a slow pipe on stdout has not taken yet. The process
 * ends when the command has closed all it opened.
 *
 * @param args without node and the script
 */
export async function main(args: readonly string[]): Promise<void> {
  tolerateClosedPipes();
  process.exitCode = await run(args);
}

async function run(args: readonly string[]): Promise<number> {
  const quick = parseQuickly(args);
  if (quick === null) return (await import('./cli.ts')).runProgram(args);
  const { names, options } = quick;
  try {
    return quick.command === 'status'
      ? await (await import('./commands/status.ts')).status(names, options)
      : await (await import('./commands/stop.ts')).stop(names, options);
  } catch (error) {
    const { printFailure } = await import('./output/failure.ts');
    return printFailure(error, { json: options.json ?? false, color: options.color });
  }
}

/**
 * `devctl status | head -1` closes our stdout early. That is no failure, and no reason to leave a
 * stop half done: what is left to print is dropped, the work goes on.
 */
function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
