/*
 * The files beside the folders, and those of commands/.
 *
 *   main             runs one command line; entry of the program
 *   quick-main       entry of `start`, `restart`, `status` and `stop` in their usual forms, which need neither commander nor ESM
 *   quick            parses these forms
 *   cli              parses every other command line, and prints the help
 *   index            the library: start, stop and status as functions
 *   errors           failures that the user can act on, and exit codes
 *   package-root     the folder of the installed package, and its version
 *   own-command      how devctl is run in hints
 *   yaml             reads YAML files: compose files, and what init imports
 *   plain-values     access to the values of such files
 *
 *   command-line/    every command and option (entries), and answers to mistakes (usage-errors): words that are near, and those of other tools
 *   commands/NAME    one command: reads its options, calls one operation, prints the result, returns the exit code
 *   containers/      `--containers` of start, restart, stop and status
 *   candidates       finds the words that may complete a command line
 *   duration-option  parses options that are durations
 *   lease-options    reads `--ttl` and `--while-pid`, and describes leases
 *   limit-options    reads the limits of `run`
 *   log-options      parses `--lines`, `--since` and `--grep`
 *   last-lines      quotes the last lines of a log
 *   log-line         formats a line of a log, as text and as JSON
 *   other-manifest-note  says that another manifest of the folder has services
 *   status-all       prints every project of this user, for `status --all`
 *   stop-progress    says what a stop waits for, and listens for Ctrl-C
 *   watch-stdout     notices that the reader of stdout has gone
 *   yield-lock       ends a command with a reason when a stop needs its lock
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Argument, Command, CommanderError } from 'commander';
import { COMMANDS, type CommandEntry, GROUPS } from './command-line/entries.ts';
import { unknownCommand, usageError } from './command-line/usage-errors.ts';
import type { CommandLineModel } from './commands/candidates.ts';
import { ExitCode } from './errors.ts';
import { DEVCTL } from './own-command.ts';
import { ownVersion, packageRoot } from './package-root.ts';

/** Runs the command that was chosen, and resolves to its exit code. */
type Action = () => Promise<number>;

/**
 * Parses one command line and runs its command.
 *
 * @returns the exit code
 */
export async function runProgram(words: readonly string[]): Promise<number> {
  let action: Action | undefined;
  const program = buildProgram((chosen) => {
    action = chosen;
  });
  const args = withSeparator(words, valuedFlags(program));
  const end = args.indexOf('--');
  const optionWords = end < 0 ? args : args.slice(0, end);
  try {
    program.parse(args, { from: 'user' });
    return action ? await action() : ExitCode.Ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.Ok;
    // Without a command, commander has printed the help on stderr.
    if (error instanceof CommanderError && error.code === 'commander.help') return ExitCode.Usage;
    const { printFailure } = await import('./output/terminal/failure.ts');
    return printFailure(
      error instanceof CommanderError ? usageError(error, program, optionWords) : error,
      {
        json: optionWords.includes('--json'),
        color: colorFlag(optionWords),
      },
    );
  }
}

/** Builds the parser of devctl's command line, with every command and option. */
export function buildProgram(onChosen: (action: Action) => void): Command {
  const program = new Command('devctl')
    .description('Starts, stops and watches the processes of a project. Leaves no orphans.')
    .option(
      '-c, --config <file>',
      'manifest to use, or its folder (default: .devctl.json here or above)',
    )
    .option('--color', 'colour even where the output is not a terminal')
    .option('--no-color', 'no colour')
    .option('-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    // commander's own help command prints the help of the program for an unknown command.
    .helpCommand(false)
    .showSuggestionAfterError(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', PROGRAM_EXAMPLES);

  program.on('option:version', () => {
    process.stdout.write(`${ownVersion()}\n`);
    throw new CommanderError(ExitCode.Ok, 'commander.version', 'printed');
  });

  for (const group of Object.keys(GROUPS))
    for (const entry of COMMANDS) if (entry.group === group) addCommand(program, entry, onChosen);

  program
    .command('completion')
    .helpGroup(GROUPS.setUp)
    .description('print the script that completes commands and names in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(devctl completion bash)     in ~/.bashrc; likewise zsh in ~/.zshrc\n  devctl completion fish | source      in ~/.config/fish/config.fish\n',
    )
    .action((shell: string) =>
      onChosen(async () => (await import('./commands/completion.ts')).completionCommand(shell)),
    );

  program
    .command('help')
    .helpGroup(GROUPS.setUp)
    .description('print help for a command')
    .argument('[command]', 'a command')
    .action((name: string | undefined) => helpOf(program, name).outputHelp());

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action((words: string[]) =>
      onChosen(async () =>
        (await import('./commands/completion.ts')).completeCommand(words, modelOf(program)),
      ),
    );

  return program;
}

function addCommand(
  program: Command,
  entry: CommandEntry,
  onChosen: (action: Action) => void,
): void {
  const { name, description, json, more, examples, load, takesCommand = false } = entry;
  const command = program.command(name).description(description).helpGroup(GROUPS[entry.group]);
  for (const [word, text, choices] of entry.operands ?? []) {
    const operand = new Argument(word, text);
    command.addArgument(choices ? operand.choices(choices) : operand);
  }
  for (const [flags, text, collectValues] of entry.options ?? []) {
    if (collectValues) command.option(flags, text, collectValues);
    else command.option(flags, text);
  }
  command
    .option('--json', json)
    .addHelpText('after', () =>
      [
        ...(more ? ['', more] : []),
        '',
        'Examples:',
        ...examples.map((line) => `  ${DEVCTL} ${line}`),
        '',
        'Exit codes:',
        ...[...entry.exits, WRONG_USAGE].map((line) => `  ${line}`),
        '',
        `More: ${pageOf(entry)}\n`,
      ].join('\n'),
    )
    .action((...given: unknown[]) => {
      // commander passes the operands, then the options of the command alone, then the command.
      const operands = given.slice(0, -2);
      const options = command.optsWithGlobals();
      const after = takesCommand ? wordsAfterSeparator(program) : null;
      const args = after === null ? [...operands, options] : separated(operands, after, options);
      onChosen(async () => (await load())(...(args as never[])));
    });
}

/** Takes the words after `--` out of the operands, and makes them an option. */
function separated(
  [names]: readonly unknown[],
  after: readonly string[],
  options: object,
): readonly unknown[] {
  const all = Array.isArray(names) ? names : [];
  return [all.slice(0, all.length - after.length), { ...options, command: after }];
}

/** The words after `--`, which commander adds to the operands; null where there is no `--`. */
function wordsAfterSeparator(program: Command): readonly string[] | null {
  // commander declares them as private to its authors only; they are what was given to parse().
  const { rawArgs } = program as Command & { readonly rawArgs: readonly string[] };
  const at = rawArgs.indexOf('--');
  return at < 0 ? null : rawArgs.slice(at + 1);
}

/** Describes the program for the shell completions, so that no command is written down twice. */
export function modelOf(program: Command): CommandLineModel {
  const optionsOf = (one: Command) =>
    one.options.map(({ short, long, description, flags }) => ({
      flags: [long, short].flatMap((flag) => flag ?? []),
      description,
      value: /[<[]([^>\]]+)[>\]]$/.exec(flags)?.[1] ?? null,
    }));
  return {
    options: optionsOf(program),
    commands: program.commands
      .filter((one) => !one.name().startsWith('_'))
      .map((one) => ({
        name: one.name(),
        description: one.description(),
        options: optionsOf(one),
        arguments: one.registeredArguments.map((argument) => ({
          name: argument.name(),
          variadic: argument.variadic,
          choices: argument.argChoices ?? [],
        })),
      })),
  };
}

const PROGRAM_EXAMPLES = `
Examples:
  ${DEVCTL} start          everything in order of dependence
  ${DEVCTL} status
  ${DEVCTL} stop           returns when nothing is left
  ${DEVCTL} stop --force   in an emergency: needs no records

Exit codes: 0 done, 1 failed, 2 wrong usage or manifest, 3 not all up,
            4 processes left, 5 port held by another program,
            6 another devctl at work
`;

const WRONG_USAGE = '2 wrong usage, or a manifest that cannot be used';

/** The page of a command: below this folder as a path from here, because that can be opened with a click. */
function pageOf({ page }: CommandEntry): string {
  const file = join(packageRoot(), 'docs', `${page}.md`);
  const near = relative(process.cwd(), file);
  return near.startsWith('..') || !existsSync(file) ? file : near;
}

/**
 * Finds the command whose help is wanted; without a name it is the program.
 *
 * @throws DevctlError 'usage'
 */
function helpOf(program: Command, name: string | undefined): Command {
  if (name === undefined) return program;
  const all = program.commands.filter((one) => !one.name().startsWith('_'));
  const found = all.find((one) => one.name() === name);
  if (found) return found;
  throw unknownCommand(name, program);
}

/** Lists the options that take a value: those of `run`, and those of all commands. */
export function valuedFlags(program: Command): readonly string[] {
  const { options, commands } = modelOf(program);
  const run = commands.find(({ name }) => name === 'run')?.options ?? [];
  return [...options, ...run].flatMap(({ flags, value }) => (value === null ? [] : flags));
}

/**
 * Inserts `--` before the command of `devctl run`, because everything after its first word belongs to it:
 * `devctl run npm test --watch` means the same with `--` before npm.
 *
 * @param valued options that take a value
 */
export function withSeparator(
  args: readonly string[],
  valued: readonly string[],
): readonly string[] {
  let isRun = false;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    if (word === '--') return args;
    if (valued.includes(word)) at += 1;
    else if (word.startsWith('-') && word !== '-') continue;
    else if (isRun) return [...args.slice(0, at), '--', ...args.slice(at)];
    else if (word !== 'run') return args;
    else isRun = true;
  }
  return args;
}

/** Reads the colour options by hand, because commander may have refused the arguments. */
function colorFlag(args: readonly string[]): boolean | undefined {
  if (args.includes('--no-color')) return false;
  return args.includes('--color') ? true : undefined;
}
