/** What can be said on a command line, as the shell completions need it. */
export interface CommandLineModel {
  readonly options: readonly OptionModel[];
  readonly commands: readonly CommandModel[];
}

export interface OptionModel {
  /** `-c`, `--config`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly valued: boolean;
}

export interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  readonly arguments: readonly {
    readonly name: string;
    readonly variadic: boolean;
    readonly choices: readonly string[];
  }[];
}

export interface Named {
  readonly services: readonly string[];
  readonly groups: readonly string[];
}

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** `files` and `command`: the shell knows better. */
export type Candidates = readonly Candidate[] | 'files' | 'command';

/**
 * What may stand in the place of the last word. Pure.
 *
 * @param words after `devctl`; the last one is being typed, and may be empty
 * @param names only called where names are asked for
 */
export function candidates(
  words: readonly string[],
  model: CommandLineModel,
  names: () => Named,
): Candidates {
  const typed = words.at(-1) ?? '';
  const { command, operands, awaits, beyond } = read(words.slice(0, -1), model);
  if (command?.name === 'run' && (beyond || operands.length > 0)) return 'command';
  if (awaits) return FILES.some((flag) => awaits.flags.includes(flag)) ? 'files' : [];
  if (!beyond && typed.startsWith('-')) {
    const all = [...(command?.options ?? []), ...model.options];
    const flags = all.flatMap(({ flags: some, description }) =>
      some.map((word) => ({ word, description })),
    );
    return matching(flags, typed);
  }
  if (!command) return matching(model.commands.map(asCandidate), typed);
  const position = Math.min(operands.length, Math.max(0, command.arguments.length - 1));
  const argument = command.arguments[position];
  if (!argument || (operands.length > position && !argument.variadic)) return [];
  if (argument.choices.length > 0) return matching(argument.choices.map(plain), typed);
  if (command.name === 'run') return 'command';
  if (command.name === 'help') return matching(model.commands.map(asCandidate), typed);
  if (argument.name !== 'name' && argument.name !== 'names') return [];
  const { services, groups } = names();
  const grouped = argument.variadic ? groups.map((word) => ({ word, description: 'group' })) : [];
  const all = [...services.map((word) => ({ word, description: 'service' })), ...grouped];
  return matching(
    all.filter(({ word }) => !operands.includes(word)),
    typed,
  );
}

/** Options whose value is a file. */
const FILES = ['--config', '--html'];

interface Reading {
  readonly command: CommandModel | null;
  readonly operands: readonly string[];
  /** The option whose value comes next. */
  readonly awaits: OptionModel | null;
  /** Was there a `--`? */
  readonly beyond: boolean;
}

function read(words: readonly string[], model: CommandLineModel): Reading {
  let command: CommandModel | null = null;
  const operands: string[] = [];
  let awaits: OptionModel | null = null;
  let beyond = false;
  for (const word of words) {
    if (awaits) awaits = null;
    else if (!beyond && word === '--') beyond = true;
    else if (!beyond && word.startsWith('-') && operands.length === 0) {
      const known: readonly OptionModel[] = [...(command?.options ?? []), ...model.options];
      const option = known.find(({ flags }) => flags.includes(word));
      awaits = option?.valued ? option : null;
    } else if (!beyond && word.startsWith('-')) continue;
    else if (command) operands.push(word);
    else command = model.commands.find(({ name }) => name === word) ?? NO_COMMAND;
  }
  return { command, operands, awaits, beyond };
}

/** A mistyped one: nothing can be said of what follows. */
const NO_COMMAND: CommandModel = { name: '', description: '', options: [], arguments: [] };

function asCandidate({ name, description }: CommandModel): Candidate {
  return { word: name, description };
}

function plain(word: string): Candidate {
  return { word, description: '' };
}

function matching(all: readonly Candidate[], typed: string): readonly Candidate[] {
  return all.filter(({ word }) => word.startsWith(typed));
}
