/*
 * The files beside the folders, and those of commands/.
 *
 *   main             runs one command line; entry of the program
 *   quick-main       entry of `start`, `status` and `stop` in their usual forms, which need neither commander nor ESM
 *   quick            parses these forms
 *   cli              every command and option, with the lazy import of each command
 *   index            the library: start, stop and status as functions
 *   errors           failures that the user can act on, and exit codes
 *   package-root     the folder of the installed package, and its version
 *   own-command      how devctl is run in hints
 *   yaml             reads YAML files: compose files, and what init imports
 *   plain-values     access to the values of such files
 *
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
import { Argument, Command, CommanderError } from 'commander';
import type { CommandLineModel } from './commands/candidates.ts';
import { DevctlError, ExitCode } from './errors.ts';
import { nearest } from './manifest/nearest.ts';
import { DEVCTL } from './own-command.ts';
import { ownVersion } from './package-root.ts';

/** Runs the command that was chosen, and resolves to its exit code. */
type Action = () => Promise<number>;

/** The parts in which one command differs from another. */
interface CommandEntry {
  readonly name: string;
  readonly description: string;
  readonly operands?: readonly (readonly [
    name: string,
    description: string,
    choices?: readonly string[],
  ])[];
  readonly options?: readonly (readonly [
    flags: string,
    description: string,
    collectValues?: typeof collect,
  ])[];
  /** Description of the option `--json`, which all these commands have. */
  readonly json: string;
  /** True where the words after `--` are a command: `options.command`. */
  readonly takesCommand?: true;
  /** Text of the help before the examples. */
  readonly more?: string;
  readonly examples: readonly [string, ...string[]];
  /** Loads the function of the command, which takes the operands and then the options. */
  load(): Promise<(...args: never[]) => Promise<number>>;
}

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
    return printFailure(error instanceof CommanderError ? usageError(error) : error, {
      json: optionWords.includes('--json'),
      color: colorFlag(optionWords),
    });
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
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', PROGRAM_EXAMPLES);

  program.on('option:version', () => {
    process.stdout.write(`${ownVersion()}\n`);
    throw new CommanderError(ExitCode.Ok, 'commander.version', 'printed');
  });

  for (const entry of COMMANDS) addCommand(program, entry, onChosen);

  program
    .command('completion')
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

const STOP_SWEEPS = `Without names, stop ends with a sweep: it also ends dev servers, watchers and test runners
that were started by hand inside the project (npm test, vite, tsc --watch). It spares
what builds or runs once, and editors. stop --dry-run shows each; to turn the sweep off:
"sweep": {"scope": "off"} in the manifest.`;

const AD_HOC = `NAME -- COMMAND starts a service that no manifest defines: status, logs, restart and stop know it until it
is stopped, and save writes it into a manifest.`;

const INIT_READS = `It reads package.json and workspaces (npm, pnpm, yarn, bun), turbo and nx, Procfile, mprocs,
process-compose, pm2, compose files and start scripts, and runs nothing without --probe. It never
overwrites a file.`;

const ATTACHED = `Keys go to the service, Ctrl-C too, and it follows the size of your terminal. Ctrl-] detaches and
leaves the service running: exit code 0. When the service ends, attach ends with its exit code.`;

/** The commands that only differ in these parts. A new command is one entry here and one file in commands/. */
const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    description: 'propose a manifest from what the repository says, and write it',
    options: [
      ['-y, --yes', 'write it without a question'],
      ['--probe', 'run each service for up to 60 s before, and add what it shows; asks for each'],
    ],
    json: 'print the proposal as JSON; written only with --yes',
    more: INIT_READS,
    examples: ['init', 'init --yes', 'init --probe'],
    load: async () => (await import('./commands/manifests/init.ts')).initCommand,
  },
  {
    name: 'start',
    description: 'start services and wait until they are ready',
    operands: [
      [
        '[names...]',
        'services or groups, with what they depend on (default: all); or: NAME -- COMMAND',
      ],
    ],
    takesCommand: true,
    more: AD_HOC,
    options: [
      ['--abort-on-failure', 'when one fails, stop again what this start has started'],
      [
        '--apply',
        'restart what has changed in the manifest, stop what it names no more, start what is new',
      ],
      ['--dependents', 'with --apply: restart what depends on them as well'],
      ['--dry-run', 'with --apply: show what it would do, do nothing'],
      ['--ttl <duration>', 'stop everything after so long, e.g. 30m or 2h'],
      [
        '--while-pid <pid>',
        'stop everything when this process has ended; of several, the last',
        collect,
      ],
      ['--containers', 'the containers alone; names are those of compose services'],
    ],
    json: 'print the result as JSON',
    examples: [
      'start',
      'start web',
      'start backend --abort-on-failure',
      'start web -- npm run dev',
      'start --ttl 2h --while-pid $$',
      'start --apply --dry-run',
    ],
    load: async () => (await import('./commands/apply.ts')).startOrApply,
  },
  {
    name: 'up',
    description: 'start services, show what they write, and stop them with Ctrl-C',
    operands: [['[names...]', 'services or groups, with what they depend on (default: all)']],
    options: [
      ['--exit-code-from <name>', 'end when this service ends, with its exit code'],
      ['-y, --yes', 'without a manifest: run what init would write, without a question'],
      ['--abort-on-exit', 'end when any service ends; a task that succeeds does not count'],
      ['-t, --timestamps', 'with the time of each line'],
      ['--no-prefix', 'without the names of the services'],
    ],
    json: 'print each line, change and the report as JSON documents',
    examples: ['up', 'up web', 'up --exit-code-from tests'],
    load: async () => (await import('./commands/up.ts')).upCommand,
  },
  {
    name: 'save',
    description: 'write services that were started with a command into the manifest',
    operands: [['[names...]', 'such services (default: all)']],
    json: 'print the result as JSON',
    examples: ['save', 'save web'],
    load: async () => (await import('./commands/manifests/save.ts')).saveCommand,
  },
  {
    name: 'stop',
    description: 'stop services, with every process they ever started, and prove it',
    operands: [['[names...]', 'services or groups (default: everything, with the sweep)']],
    options: [
      ['--force', 'short grace period, no stop commands, no waiting for other commands'],
      ['--unprotected', 'with --force: also what "protect" and the built-in list protect'],
      ['--dry-run', 'show what would be signalled, signal nothing'],
      ['--why', 'with --dry-run: also why each process is ours'],
      ['--verbose', 'also each process: why it was ours, and what ended it'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--project <folder-or-id>', 'another project, also one whose folder is gone'],
      ['--containers', 'the containers alone; names are those of compose services'],
      ['--volumes', 'also remove the volumes of the containers, with all that is in them'],
    ],
    json: 'print the report as JSON',
    more: STOP_SWEEPS,
    examples: ['stop', 'stop web', 'stop --dry-run', 'stop --force', 'stop --project ../old'],
    load: async () => (await import('./commands/stop.ts')).stopCommand,
  },
  {
    name: 'restart',
    description: 'stop services with proof, then start them again',
    operands: [['[names...]', 'services or groups (default: all that run or start by themselves)']],
    options: [
      ['--dependents', 'restart what depends on them as well'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--containers', 'the containers alone; names are those of compose services'],
    ],
    json: 'print both results as JSON',
    examples: ['restart web', 'restart database --dependents', 'restart'],
    load: async () => (await import('./commands/restart.ts')).restartCommand,
  },
  {
    name: 'adopt',
    description: 'have a supervisor care for what runs, after its own was killed; restarts nothing',
    json: 'print what was taken over as JSON',
    examples: ['adopt', 'adopt --json'],
    load: async () => (await import('./commands/adopt.ts')).adoptCommand,
  },
  {
    name: 'status',
    description: 'show services and their processes; exits 3 when not all are up',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [
      ['--all', 'every project of yours of which something runs, wherever you are'],
      ['--containers', 'the containers alone'],
      ['--urls', 'only where each service can be opened, by its http probe and its own log'],
    ],
    json: 'print the table as JSON',
    examples: ['status', 'status --json', 'status --urls', 'status --all'],
    load: async () => (await import('./commands/status.ts')).statusCommand,
  },
  {
    name: 'wait',
    description: 'wait until services are ready, whoever starts them; 124 when the time is over',
    operands: [['[names...]', 'services or groups (default: all that run or start by themselves)']],
    options: [
      [
        '--for <event>',
        'ready (default), exited, completed (with success), healthy, port, or log=REGEX',
      ],
      ['--timeout <duration>', 'how long to wait: 60s (default), 5m; 0: look once'],
    ],
    json: 'print the result as JSON',
    examples: [
      'wait',
      'wait web --timeout 2m',
      'wait tests --for completed',
      'wait api --for "log=listening on \\d+"',
    ],
    load: async () => (await import('./commands/wait.ts')).waitCommand,
  },
  {
    name: 'tree',
    description: 'show every process of every service as a tree',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [['--why', 'also why each is ours, with a legend']],
    json: 'print the trees as JSON',
    examples: ['tree', 'tree web', 'tree --why', 'tree web --json'],
    load: async () => (await import('./commands/tree.ts')).treeCommand,
  },
  {
    name: 'monitor',
    description:
      'show what goes on, on the whole terminal: services, processes, logs, and keys to act',
    json: 'print it as JSON instead, a document a second, to anything',
    examples: ['monitor', 'monitor --json'],
    load: async () => (await import('./commands/monitor.ts')).monitorCommand,
  },
  {
    name: 'run',
    description: 'run one command, and end everything that it leaves behind',
    operands: [['<command...>', 'the command and its arguments, after --']],
    options: [
      ['--name <name>', 'what status and stop call it (default: run-COMMAND)'],
      ['--timeout <duration>', 'end everything after so long, with exit code 124'],
      ['--max-processes <n>', 'end everything, with 124, at more processes than that'],
      ['--max-memory <size>', 'the same at more memory: 512MB, 2GB'],
      ['--max-cpu <cores>', 'the same at more cpu, over 30 s: 1.5, or 150%'],
      ['--idle <duration>', 'the same after so long without output and cpu'],
      ['--grace <duration>', 'time to end by themselves, e.g. 500ms or 3s'],
      ['--fail-on-orphans', 'exit 4 when it leaves processes behind'],
    ],
    json: 'print the result as one line of JSON on stderr, at the end',
    examples: [
      'run -- npm test',
      'run --timeout 10m --fail-on-orphans -- npm test',
      'run --max-processes 200 --max-memory 8GB -- npm test',
    ],
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  {
    name: 'send',
    description: 'write a line to the stdin of a service',
    operands: [
      ['<name>', 'a service'],
      ['[text...]', 'the line; without it, all that comes from stdin'],
    ],
    options: [['--no-newline', 'send the text alone, without a line end']],
    json: 'print what was sent as JSON',
    examples: ['send web rs', 'send api "reload now"', 'send db < dump.sql'],
    load: async () => (await import('./commands/send.ts')).sendCommand,
  },
  {
    name: 'attach',
    description: 'put the terminal of a service ("tty": true) on yours; Ctrl-] detaches',
    operands: [['<name>', 'a service']],
    json: 'print how it ended as JSON, at the end',
    more: ATTACHED,
    examples: ['attach web'],
    load: async () => (await import('./commands/attach.ts')).attachCommand,
  },
  {
    name: 'logs',
    description: 'show what services have written, merged by time',
    operands: [['[names...]', 'services or groups (default: all)']],
    options: [
      ['-f, --follow', 'go on with what comes, until Ctrl-C'],
      ['--containers', 'those of the containers alone'],
      ['-n, --lines <count>', 'only the last lines of each service (with -f: 10; or: all)'],
      ['--since <time>', 'only what is younger: 10m, 2h, 17:05, 2026-11-23T17:05'],
      ['--grep <regex>', 'only lines that match'],
      ['-i, --ignore-case', 'for --grep'],
      ['-t, --timestamps', 'with the time of each line, as far as it is known'],
      ['--no-prefix', 'without the names of the services'],
    ],
    json: 'print each line as a JSON document',
    examples: ['logs -f', 'logs web -n 50', 'logs --since 10m --grep error'],
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  {
    name: 'report',
    description:
      'tell what happened: what grew, when and why, restarts, the last stop and its proof',
    options: [
      ['--html <file>', 'write it as one page for a browser (-: to stdout)'],
      [
        '--since <time>',
        'all since then: 10m, 2h, 17:05, 2026-11-23T17:05 (default: the last session)',
      ],
    ],
    json: 'print the report as JSON',
    examples: ['report', 'report --html report.html', 'report --since 1d'],
    load: async () => (await import('./commands/report.ts')).reportCommand,
  },
  {
    name: 'sweep',
    description: 'end dev tools that work in the project and belong to no service',
    options: [['--dry-run', 'show what would be ended, and what is spared, with reasons']],
    json: 'print the report as JSON',
    examples: ['sweep --dry-run', 'sweep'],
    load: async () => (await import('./commands/sweep.ts')).sweepCommand,
  },
  {
    name: 'check',
    description: 'validate the manifest, start nothing',
    json: 'print the findings as JSON',
    examples: ['check', 'check --config other.json'],
    load: async () => (await import('./commands/check.ts')).checkCommand,
  },
  {
    name: 'export',
    description: 'print the services as units of systemd or as a Procfile; start nothing',
    operands: [['<format>', 'the other program', ['systemd', 'procfile']]],
    options: [
      ['--output <folder>', 'write files there; none that is there already'],
      ['--force', 'with --output: overwrite'],
    ],
    json: 'print the files and what they leave out as JSON',
    examples: ['export systemd --output ~/.config/systemd/user', 'export procfile > Procfile'],
    load: async () => (await import('./commands/manifests/export.ts')).exportCommand,
  },
  {
    name: 'doctor',
    description: 'look for what keeps devctl from its promises here, and say what mends it',
    json: 'print the findings as JSON',
    examples: ['doctor', 'doctor --json'],
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
];

function addCommand(
  program: Command,
  entry: CommandEntry,
  onChosen: (action: Action) => void,
): void {
  const { name, description, json, more, examples, load, takesCommand = false } = entry;
  const command = program.command(name).description(description);
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
    .addHelpText(
      'after',
      `${more ? `\n${more}\n` : ''}\nExamples:\n${examples.map((line) => `  ${DEVCTL} ${line}\n`).join('')}`,
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

/** Collects the values of an option that may be given more than once. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
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

/**
 * Turns an error of commander, such as `error: unknown option '--jsn'\n(Did you mean --json?)`, into a
 * message and a hint.
 */
function usageError(error: CommanderError): DevctlError {
  const [first = '', ...rest] = error.message.split('\n');
  const suggestion = /^\((Did you mean .*)\)$/.exec(rest.join(' '))?.[1];
  return new DevctlError('usage', first.replace(/^error: /, ''), {
    hint: suggestion ?? `${DEVCTL} --help lists commands and options`,
  });
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
  const meant = nearest(
    name,
    all.map((one) => one.name()),
  );
  throw new DevctlError('usage', `unknown command '${name}'`, {
    hint: meant === null ? `${DEVCTL} --help lists commands and options` : `Did you mean ${meant}?`,
  });
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
