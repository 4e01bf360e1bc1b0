/** A command line that needs no help, no suggestion and no error message. */
export interface QuickCommand {
  readonly command: 'status' | 'stop';
  readonly names: readonly string[];
  readonly options: {
    readonly json?: boolean;
    readonly force?: boolean;
    readonly dryRun?: boolean;
    readonly color?: boolean;
  };
}

/** The flags of both commands that take no value, as commander would name them. */
const FLAGS: Readonly<Record<QuickCommand['command'], Readonly<Record<string, object>>>> = {
  status: { '--json': { json: true }, '--color': { color: true }, '--no-color': { color: false } },
  stop: {
    '--json': { json: true },
    '--force': { force: true },
    '--dry-run': { dryRun: true },
    '--color': { color: true },
    '--no-color': { color: false },
  },
};

/**
 * Reads the usual forms of `status` and `stop`: the command first, then whole words and whole flags.
 *
 * @returns null for anything else, which is commander's to parse or to complain about
 */
export function parseQuickly(args: readonly string[]): QuickCommand | null {
  const [command, ...rest] = args;
  if (command !== 'status' && command !== 'stop') return null;
  const names: string[] = [];
  const options: Record<string, boolean> = {};
  for (const word of rest) {
    const flag = Object.hasOwn(FLAGS[command], word) ? FLAGS[command][word] : undefined;
    if (flag) Object.assign(options, flag);
    else if (word === '' || word.startsWith('-')) return null;
    else names.push(word);
  }
  return { command, names, options };
}
