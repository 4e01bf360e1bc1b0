import { tolerateLostOutput } from './output/terminal/lost-output.ts';
import { parseQuickly, type QuickCommand } from './quick.ts';

/**
 * Carries out `start`, `restart`, `status` and `stop` in their usual forms, and sets `process.exitCode`.
 *
 * It stands beside `main.ts`, because the parser of all command lines takes 15 ms to load, and these need none of it.
 *
 * @param args without node and the script
 * @returns null for any other command line, which `main.ts` handles
 */
export function quickMain(args: readonly string[]): Promise<void> | null {
  const quick = parseQuickly(args);
  return quick && carryOut(quick);
}

async function carryOut({ command, names, options }: QuickCommand): Promise<void> {
  tolerateLostOutput();
  try {
    const run = await COMMANDS[command]();
    process.exitCode = await run(names, options);
  } catch (error) {
    const { printFailure } = await import('./output/terminal/failure.ts');
    process.exitCode = printFailure(error, { json: options.json ?? false, color: options.color });
  }
}

/** Loads the function of a command. */
const COMMANDS = {
  start: async () => (await import('./commands/start.ts')).startCommand,
  restart: async () => (await import('./commands/restart.ts')).restartCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  stop: async () => (await import('./commands/stop.ts')).stopCommand,
};
