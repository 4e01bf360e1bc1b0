/** A command line that needs no help, no suggestion and no error message. */
export interface QuickCommand {
  readonly command: 'start' | 'restart' | 'status' | 'stop';
  readonly names: readonly string[];
  readonly options: {
    readonly config?: string;
    readonly project?: string;
    readonly all?: boolean;
    readonly abortOnFailure?: boolean;
    readonly dependents?: boolean;
    readonly urls?: boolean;
    readonly json?: boolean;
    readonly force?: boolean;
    readonly dryRun?: boolean;
    readonly why?: boolean;
    readonly containers?: boolean;
    readonly volumes?: boolean;
    readonly verbose?: boolean;
    readonly grace?: string;
    readonly color?: boolean;
  };
}

/** Flags without a value, with the options that commander makes of them. */
const FLAGS: Readonly<Record<QuickCommand['command'], Readonly<Record<string, object>>>> = {
  start: {
    '--json': { json: true },
    '--abort-on-failure': { abortOnFailure: true },
    '--color': { color: true },
    '--no-color': { color: false },
  },
  restart: {
    '--json': { json: true },
    '--dependents': { dependents: true },
    '--containers': { containers: true },
    '--color': { color: true },
    '--no-color': { color: false },
  },
  status: {
    '--json': { json: true },
    '--all': { all: true },
    '--urls': { urls: true },
    '--containers': { containers: true },
    '--color': { color: true },
    '--no-color': { color: false },
  },
  stop: {
    '--json': { json: true },
    '--force': { force: true },
    '--dry-run': { dryRun: true },
    '--why': { why: true },
    '--containers': { containers: true },
    '--volumes': { volumes: true },
    '--verbose': { verbose: true },
    '--color': { color: true },
    '--no-color': { color: false },
  },
};

/** Flags whose value is the next word, with the name of the option. */
const VALUES: Readonly<Record<QuickCommand['command'], Readonly<Record<string, string>>>> = {
  start: { '--config': 'config', '-c': 'config' },
  restart: { '--config': 'config', '-c': 'config', '--grace': 'grace' },
  status: { '--config': 'config', '-c': 'config' },
  stop: { '--config': 'config', '-c': 'config', '--grace': 'grace', '--project': 'project' },
};

/**
 * Parses the usual forms of the quick commands: the command first, then whole words and whole flags.
 *
 * @returns null for any other command line: commander parses it, or complains about it
 */
export function parseQuickly(args: readonly string[]): QuickCommand | null {
  const [command, ...rest] = args;
  if (!isQuick(command)) return null;
  const names: string[] = [];
  const options: Record<string, boolean | string> = {};
  const words = rest.values();
  for (const word of words) {
    const flag = ownProperty(FLAGS[command], word);
    const valued = ownProperty(VALUES[command], word);
    if (flag) Object.assign(options, flag);
    else if (valued) {
      const value = words.next().value;
      if (value === undefined || !isWord(value)) return null;
      options[valued] = value;
    } else if (isWord(word)) names.push(word);
    else return null;
  }
  return { command, names, options };
}

function isQuick(command: string | undefined): command is QuickCommand['command'] {
  return command !== undefined && Object.hasOwn(FLAGS, command);
}

function ownProperty<Value>(
  table: Readonly<Record<string, Value>>,
  key: string,
): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function isWord(text: string): boolean {
  return text !== '' && !text.startsWith('-');
}
