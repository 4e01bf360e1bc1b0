import { tolerateLostOutput } from './output/terminal/lost-output.ts';
import { parseQuickly, type QuickCommand } from './quick.ts';

/**
 * Carries out `start`, `status` and `stop` in their usual forms, and sets `process.exitCode`.
 *
 * It is bundled as CommonJS, for two reasons. Node's loader of ES modules reads files in threads of libuv's
 * pool; at the process limit no thread can be made, and libuv aborts the process. A `require` needs no
 * thread. And it starts 15 ms faster, because neither that loader nor commander is loaded.
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
  status: async () => (await import('./commands/status.ts')).statusCommand,
  stop: async () => (await import('./commands/stop.ts')).stopCommand,
};
